#!/bin/sh
# Dub a clip: learn the speaker's mouth from all his footage, then lay each new sound over the clip, whose frames are
# chosen anew for it, so that it lasts as long (--retime off keeps them as they are).
# usage: dub.sh CLIP CONSENT FOOTAGE_FOLDER SPEECH...
set -eu
clip=$1 consent=$2 footage=$3
shift 3
lipswap learn "$footage"/*.mp4 -o voice
for speech in "$@"; do
  lipswap sync "$clip" --voice voice --speech "$speech" --consent "$consent" -o "$(basename "${speech%.*}").mp4"
done
