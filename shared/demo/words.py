"""What the actors say, and the phones of its words (ARPAbet, after the CMU Pronouncing Dictionary)."""

from __future__ import annotations

import re
from typing import Final

FIRST_SPEECH: Final = (
    "Good morning, and welcome to this small demonstration.",
    "My name does not matter, because I am only a drawing.",
    "Every word that you hear was made by a machine.",
    "Please watch my mouth while I speak to you.",
    "The lips must close on p, and b, and m.",
    "A big brown bear baked five apple pies by the river.",
    "She sells fresh fish and very thin slices of cheese.",
    "How do you know which way the wind will blow today?",
    "Maybe the moon moves more slowly over the mountain.",
    "Thank you for giving us your voice and your patience.",
    "Paul bought a pair of blue shoes at the market.",
    "Children enjoy the yellow garden behind our house.",
    "We always ask people before we use their pictures.",
    "The quick fox jumped over a lazy old dog.",
)
"""The footage of the first actor, to learn from."""
TARGET_SPEECH: Final = "Before lunch, my brother gave me a warm cup of tea, and we talked about the weather."
"""What the first actor says in the target clip, which nothing learns from."""
NEW_SPEECH: Final = "People of goodwill often borrow a voice, but they never take one without asking for it."
"""What the first actor is made to say; in no footage."""
SECOND_SPEECH: Final = (
    "Hello, I am the second person in this film.",
    "My face was mixed from pictures that anybody may use.",
    "Both of us move our heads a little, and we blink.",
    "Some of these words make the mouth very wide, and some make it round.",
    "You should open your eyes and compare the two of us.",
    "Blue boats float by the empty beach in the evening.",
)
"""The footage of the second actor, who gives the face."""

_PHONES: Final = """
a:AH about:AH.B.AW.T always:AO.L.W.EY.Z am:AE.M and:AH.N.D anybody:EH.N.IY.B.AH.D.IY apple:AE.P.AH.L ask:AE.S.K
asking:AE.S.K.IH.NG at:AE.T b:B.IY baked:B.EY.K.T beach:B.IY.CH bear:B.EH.R because:B.IH.K.AO.Z before:B.IH.F.AO.R
behind:B.IH.HH.AY.N.D big:B.IH.G blink:B.L.IH.NG.K blow:B.L.OW blue:B.L.UW boats:B.OW.T.S borrow:B.AA.R.OW
both:B.OW.TH bought:B.AA.T brother:B.R.AH.DH.ER brown:B.R.AW.N but:B.AH.T by:B.AY cheese:CH.IY.Z
children:CH.IH.L.D.R.AH.N close:K.L.OW.Z compare:K.AH.M.P.EH.R cup:K.AH.P demonstration:D.EH.M.AH.N.S.T.R.EY.SH.AH.N
do:D.UW does:D.AH.Z dog:D.AO.G drawing:D.R.AO.IH.NG empty:EH.M.P.T.IY enjoy:EH.N.JH.OY evening:IY.V.N.IH.NG
every:EH.V.ER.IY eyes:AY.Z face:F.EY.S film:F.IH.L.M fish:F.IH.SH five:F.AY.V float:F.L.OW.T for:F.AO.R fox:F.AA.K.S
fresh:F.R.EH.SH from:F.R.AH.M garden:G.AA.R.D.AH.N gave:G.EY.V giving:G.IH.V.IH.NG good:G.UH.D goodwill:G.UH.D.W.IH.L
heads:HH.EH.D.Z hear:HH.IY.R hello:HH.AH.L.OW house:HH.AW.S how:HH.AW i:AY in:IH.N is:IH.Z it:IH.T jumped:JH.AH.M.P.T
know:N.OW lazy:L.EY.Z.IY lips:L.IH.P.S little:L.IH.T.AH.L lunch:L.AH.N.CH m:EH.M machine:M.AH.SH.IY.N made:M.EY.D
make:M.EY.K market:M.AA.R.K.AH.T matter:M.AE.T.ER may:M.EY maybe:M.EY.B.IY me:M.IY mixed:M.IH.K.S.T moon:M.UW.N
more:M.AO.R morning:M.AO.R.N.IH.NG mountain:M.AW.N.T.AH.N mouth:M.AW.TH move:M.UW.V moves:M.UW.V.Z must:M.AH.S.T
my:M.AY name:N.EY.M never:N.EH.V.ER not:N.AA.T of:AH.V often:AO.F.AH.N old:OW.L.D on:AA.N one:W.AH.N only:OW.N.L.IY
open:OW.P.AH.N our:AW.ER over:OW.V.ER p:P.IY pair:P.EH.R patience:P.EY.SH.AH.N.S paul:P.AO.L people:P.IY.P.AH.L
person:P.ER.S.AH.N pictures:P.IH.K.CH.ER.Z pies:P.AY.Z please:P.L.IY.Z quick:K.W.IH.K river:R.IH.V.ER round:R.AW.N.D
second:S.EH.K.AH.N.D sells:S.EH.L.Z she:SH.IY shoes:SH.UW.Z should:SH.UH.D slices:S.L.AY.S.AH.Z slowly:S.L.OW.L.IY
small:S.M.AO.L some:S.AH.M speak:S.P.IY.K take:T.EY.K talked:T.AO.K.T tea:T.IY thank:TH.AE.NG.K that:DH.AE.T the:DH.AH
their:DH.EH.R these:DH.IY.Z they:DH.EY thin:TH.IH.N this:DH.IH.S to:T.UW today:T.AH.D.EY two:T.UW us:AH.S use:Y.UW.Z
very:V.EH.R.IY voice:V.OY.S warm:W.AO.R.M was:W.AA.Z watch:W.AA.CH way:W.EY we:W.IY weather:W.EH.DH.ER
welcome:W.EH.L.K.AH.M which:W.IH.CH while:W.AY.L wide:W.AY.D will:W.IH.L wind:W.IH.N.D without:W.IH.TH.AW.T
word:W.ER.D words:W.ER.D.Z yellow:Y.EH.L.OW you:Y.UW your:Y.AO.R
"""
"""``word:PHONE.PHONE``, separated by blanks."""

PHONES: Final[dict[str, tuple[str, ...]]] = {
    word: tuple(phones.split(".")) for word, phones in (entry.split(":") for entry in _PHONES.split())
}


def words_of(text: str) -> list[tuple[str, ...]]:
    """The phones of each word of a text.

    Raises
    ------
    ValueError : a word is not in the list.
    """
    words = re.findall(r"[a-z']+", text.lower())
    unknown = sorted({word for word in words if word not in PHONES})
    if unknown:
        raise ValueError(f"no phones are known for {', '.join(unknown)}: add them to the list in words.py")
    return [PHONES[word] for word in words]
