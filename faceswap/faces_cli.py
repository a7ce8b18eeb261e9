"""The command ``faces``: look into a face set, put it in order, compare it with another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shared.render.terminal import Terminal, standard_options

if TYPE_CHECKING:  # the rows bring numpy, which a help text can do without
    from faceswap.rows import FaceRow
    from shared.face.detect import FinderName

FILE = click.Path(path_type=Path)
SHOWN = (
    "name",
    "time_s",
    "size_px",
    "sharpness",
    "yaw_deg",
    "pitch_deg",
    "mouth",
    "light",
    "person",
    "likeness",
    "why",
)
LINES = 20


@click.command(epilog="Example: lipswap faces faces/ada --where 'blur<40' --sort yaw --drop")
@click.argument("faces", type=FILE)
@click.option(
    "--where",
    multiple=True,
    metavar="MEASURE<VALUE",
    help="Only faces for which this holds (all, if several): yaw>20, blur<40, why=covered, person!=0.",
)
@click.option(
    "--sort", metavar="MEASURE", default=None, help="By blur, yaw, pitch, size, identity, similarity, colour."
)
@click.option("--falling", is_flag=True, help="Largest first.")
@click.option("--dropped", is_flag=True, help="List the dropped faces instead of the kept ones.")
@click.option("--limit", type=click.IntRange(0), default=LINES, help="Lines to print; 0 for all.")
@click.option("--sheet", type=FILE, metavar="PNG", help="Draw the faces chosen, in their order, or the comparison.")
@click.option("--drop", "action", flag_value="drop", help="Drop the faces chosen; their pictures go to FACES/aside.")
@click.option("--keep", "action", flag_value="keep", help="Take back those of the dropped faces that are chosen.")
@click.option("--undo", "action", flag_value="undo", help="Take the last change back.")
@click.option("--export", "export_to", type=FILE, metavar="FOLDER", help="Copy the chosen pictures, with faces.csv.")
@click.option(
    "--import",
    "import_from",
    type=FILE,
    metavar="CSV|FOLDER",
    help="Drop and keep as a table says (name, kept), or add a folder of pictures.",
)
@click.option("--split", "split_to", type=FILE, metavar="FACES", help="Move the faces chosen into a set of their own.")
@click.option("--merge", multiple=True, type=FILE, metavar="FACES", help="Make one set with these, at --output.")
@click.option("-o", "--output", type=FILE, metavar="FACES", help="Folder of the merged set.")
@click.option("--edit", type=FILE, metavar="CSV|JSON", help="Keep landmarks, boxes and masks put right in this table.")
@click.option("--edit-out", type=FILE, metavar="CSV|JSON", help="Write the table to be edited.")
@click.option("--against", type=FILE, metavar="FACES", help="Compare with another set: what footage is missing?")
@standard_options
def faces(  # noqa: PLR0913 - one argument an option
    faces: Path,
    *,
    where: tuple[str, ...],
    sort: str | None,
    falling: bool,
    dropped: bool,
    limit: int,
    sheet: Path | None,
    action: str | None,
    export_to: Path | None,
    import_from: Path | None,
    split_to: Path | None,
    merge: tuple[Path, ...],
    output: Path | None,
    against: Path | None,
    edit: Path | None,
    edit_out: Path | None,
    terminal: Terminal,
) -> None:
    """Look into a face set and put it in order.

    Without an action the faces are counted and listed. A picture deleted in a file manager counts as dropped. Every
    drop can be undone: rows stay, pictures lie in FACES/aside or are cut from their clip again.

    --edit takes a table with the columns clip, frame, track, box, landmarks, mask (numbers with spaces between, in
    pixels of the frame; empty: as found; all three empty: as found again). FACES may be a clip then. What is put right
    is kept for each later extraction and render of the clip; frames between two that were put right follow them.
    """
    from faceswap.rows import KIND, SCHEMA
    from shared.errors import UsageError
    from shared.store.artefact import lock, open_artefact

    acts = [name for name, given in (
        (f"--{action}", action), ("--export", export_to), ("--import", import_from), ("--split", split_to),
        ("--merge", merge), ("--against", against),
        ("--edit", edit), ("--edit-out", edit_out),
    ) if given]  # fmt: skip
    if len(acts) > 1:
        raise UsageError(f"one action at a time, got {' and '.join(acts)}")
    if action in ("drop", "keep") and not where:
        raise UsageError(f"--{action} needs --where, so that it is not every face; 'size>0' is every face")
    if bool(merge) != (output is not None):
        raise UsageError("--merge and --output go together")
    if faces.is_file() and not (edit or edit_out):
        raise UsageError(f"{faces}: is a clip; of one --edit and --edit-out can be asked")
    if faces.is_dir() or not faces.exists():
        open_artefact(faces, KIND, SCHEMA)
    if import_from is not None and import_from.is_dir():
        terminal.result(*_added(faces, import_from, terminal))
        return
    with lock(faces):
        if edit is not None or edit_out is not None:
            done = _edited(faces, edit, edit_out, where, terminal)
        elif against is not None:
            done = compared(faces, against, sheet, terminal)
        elif merge and output is not None:
            done = _merged([faces, *merge], output)
        elif action == "undo" or import_from is not None:
            done = _changed(faces, import_from, terminal)
        else:
            rows = _selected(faces, where, sort, falling, dropped or action == "keep", terminal)
            if sheet is not None:
                _draw(faces, rows, sheet)
            done = _acted(faces, rows, action, export_to, split_to, terminal) or _listed(faces, rows, limit)
    terminal.result(*done)


def _selected(
    folder: Path, where: tuple[str, ...], sort: str | None, falling: bool, dropped: bool, terminal: Terminal
) -> list[FaceRow]:
    from faceswap.choose import asks_for_likeness, chosen, in_order
    from faceswap.shelf import faces_in, with_likeness

    rows = [row for row in faces_in(folder) if row.kept != dropped]
    if asks_for_likeness(where, sort):
        rows = with_likeness(folder, rows, terminal.progress)
    rows = chosen(rows, where)
    return in_order(rows, sort, falling) if sort else rows


def _acted(
    folder: Path,
    rows: list[FaceRow],
    action: str | None,
    export_to: Path | None,
    split_to: Path | None,
    terminal: Terminal,
) -> tuple[dict[str, Any], str] | None:
    """Do what was asked for with the rows chosen; nothing where nothing was."""
    from faceswap import join, shelf

    if action == "drop":
        count = shelf.drop(folder, rows)
        return {"dropped": count}, f"{folder}: {count} faces dropped (--undo takes them back)"
    if action == "keep":
        count = shelf.keep(folder, rows, terminal.progress)
        return {"kept": count}, f"{folder}: {count} faces taken back"
    if export_to is not None:
        count = shelf.export(folder, rows, export_to)
        return {"exported": count, "folder": str(export_to)}, f"{export_to}: {count} pictures and faces.csv"
    if split_to is not None:
        count = join.split(folder, rows, split_to)
        return {"moved": count, "folder": str(split_to)}, f"{split_to}: {count} faces, moved out of {folder}"
    return None


def _edited(
    target: Path, table: Path | None, out: Path | None, where: tuple[str, ...], terminal: Terminal
) -> tuple[dict[str, Any], str]:
    from faceswap.edit import read_table, take_edits, write_table

    if table is not None:
        changed, renewed = take_edits(target, read_table(table), terminal.progress)
        text = f"{target}: {changed} faces put right, {renewed} pictures cut anew"
        return {"corrected": changed, "pictures_renewed": renewed}, text
    only = None
    if where and target.is_dir():
        only = [(row.clip, row.frame, row.track) for row in _selected(target, where, None, False, False, terminal)]
    count = write_table(target, out or Path(), only)
    return {"written": count, "table": str(out)}, f"{out}: {count} faces"


def _changed(folder: Path, table: Path | None, terminal: Terminal) -> tuple[dict[str, Any], str]:
    from faceswap import shelf

    if table is None:
        count = shelf.undo(folder, terminal.progress)
        return {"undone": count}, f"{folder}: " + (f"{count} faces as before" if count else "nothing to undo")
    gone, back = shelf.take_decisions(folder, table, terminal.progress)
    return {"dropped": gone, "kept": back}, f"{folder}: {gone} faces dropped, {back} taken back"


def _added(folder: Path, pictures: Path, terminal: Terminal) -> tuple[dict[str, Any], str]:
    """Add a folder of pictures, as ``extract --append`` would with the set's own size of picture and finder."""
    from faceswap.extract import append
    from faceswap.options import ExtractOptions
    from faceswap.rows import KIND, SCHEMA, centring_of
    from shared.store.artefact import open_artefact

    made = open_artefact(folder, KIND, SCHEMA).details
    finder: FinderName = "fan" if made.get("finder") == "fan" else "mesh"
    options = ExtractOptions(crop_px=made["crop_px"], centring=centring_of(folder), finder=finder)
    report = append([pictures], folder, options, terminal.progress)
    return {"folder": str(folder), "faces": report.faces}, f"{folder}: {report.faces} faces with those of {pictures}"


def _merged(folders: list[Path], output: Path) -> tuple[dict[str, Any], str]:
    from faceswap import join

    count = join.merge(folders, output)
    return {"folder": str(output), "faces": count}, f"{output}: {count} faces of {len(folders)} sets"


def _listed(folder: Path, rows: list[FaceRow], limit: int) -> tuple[dict[str, Any], str]:
    from collections import Counter

    from faceswap.choose import COLUMNS, plain
    from faceswap.cover import reach
    from faceswap.shelf import faces_in

    everything = faces_in(folder)
    kept = [row for row in everything if row.kept]
    reasons = dict(Counter(row.why for row in everything if not row.kept).most_common())
    people = Counter(row.person for row in kept)
    shown = rows[: limit or None]
    answer = {
        "folder": str(folder),
        "faces": len(kept),
        "dropped": reasons,
        "people_faces": {str(person): count for person, count in people.most_common()},
        "reach": reach(kept),
        "chosen": len(rows),
        "rows": [{name: plain(getattr(row, name)) for name in COLUMNS} for row in shown],
    }
    lines = [
        f"{folder}: {len(kept)} faces; dropped: "
        + (", ".join(f"{count} {why}" for why, count in reasons.items()) or "none")
    ]
    lines += [f"  {name:10} {low:8.2f} to {high:8.2f}" for name, (low, high) in reach(kept).items()]
    lines += ["", _line(list(SHOWN))]
    lines += [_line([getattr(row, name) for name in SHOWN]) for row in shown]
    if len(shown) < len(rows):
        lines.append(f"... {len(rows) - len(shown)} more (--limit 0 for all)")
    return answer, "\n".join(lines)


def _draw(folder: Path, rows: list[FaceRow], sheet: Path) -> None:
    from faceswap.sheets import SHEET_CELL_PX, SHEET_COLUMNS
    from faceswap.shelf import picture_of
    from shared.picture.image import contact_sheet, read_image, write_png

    pictures = [read_image(place) for row in rows if (place := picture_of(folder, row)) is not None]
    write_png(sheet, contact_sheet(pictures, SHEET_COLUMNS, (SHEET_CELL_PX, SHEET_CELL_PX)))


def _line(cells: list[Any]) -> str:
    from faceswap.choose import plain

    texts = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in map(plain, cells)]
    return "  ".join([f"{texts[0]:22}", *(f"{text:>9}" for text in texts[1:])])


def compared(first: Path, second: Path, sheet: Path | None, terminal: Terminal) -> tuple[dict[str, Any], str]:
    """Compare two face sets, as an answer and in words; `sheet` is where to draw it."""
    from faceswap.overlap import compare
    from faceswap.overlap_sheet import pair_sheet
    from shared.picture.image import write_png

    check = compare(first, second, terminal.progress)
    if sheet is not None:
        write_png(sheet, pair_sheet(check))
    names = [side.name for side in check.sides]
    answer: dict[str, Any] = {
        "first": str(first),
        "second": str(second),
        "scores": {kind: {"first_in_second": a, "second_in_first": b} for kind, (a, b) in check.scores.items()},
        "missing": list(check.missing),
        "sheet": None if sheet is None else str(sheet),
    }
    lines = [f"{'':11} {names[0]} in {names[1]:12} {names[1]} in {names[0]}"]
    lines += [f"{kind:11} {a:8.0%} {b:18.0%}" for kind, (a, b) in check.scores.items()]
    return answer, "\n".join([*lines, *(f"- {gap}" for gap in check.missing)])
