"""The pages of the gallery, rebuilt from the rows beside them: no number on them is written by hand.

    python docs/gallery/build.py                         # every page and its picture
    python docs/gallery/build.py whisper_tiny_en         # one of them
    python docs/gallery/build.py whisper_tiny_en --study whisper_study     # take in the rows of a run first
    python docs/gallery/build.py vielzeuf_2024 --study more_seeds --add    # beside those that the page has

`--add` replaces what the study has itself, numbers of the same arm, seed and corpus, and rows of the same run; all else
stays. So other machines add seeds, and a run is repeated by itself.

A page NAME is made of
    NAME.yaml       the run: what `-c` is given
    NAME.jsonl      the headline rows of its folders, each with the folder under `run`; and what `select --verify` kept
                    in them, likewise, under `verification`
    NAME.template   the page: YAML between two lines of `---`, then Markdown
and becomes NAME.md and NAME.png. The template's YAML says `study` (the run's folder, as commands name it), `holds`
(what the text claims, `RUN MEASURE TAP > RUN MEASURE TAP`: 95 % intervals that do not touch; a page whose rows do not
hold it is not built) and `picture` (`models`: name -> RUN; `measures`; or, of verifications, `against`: `TASK MEASURE`
of every panel). `without` names fields of rows that the page does not need, so that its file is small. In its Markdown
    {{ score RUN MEASURE TAP }}       is a number, or a task's score without a tap
    {{ refused RUN MEASURE }}         is why there is none
    {{ field RUN MEASURE NAME }}      is a field that all its rows have in common
    {{ layers RUN+RUN MEASURE+MEASURE }}    is a table of state taps, one line per measure and run
    {{ best RUN+RUN MEASURE+MEASURE }}      is a table of every run's best state tap, or its task's score
    {{ agreement RUN+RUN MEASURE+MEASURE }} is a table of how alike measures rank state taps, by Spearman's correlation
    {{ verdicts TASK }}               is what the verifications of a task say together, in words
    {{ verified TASK }}               is the same in tables; of a MEASURE over folds, of all runs, likewise
and under a command of s3prl-plugin in a block that begins with ```console comes what it prints when run on the rows.

A page of models with several training seeds has numbers in NAME.jsonl in place of rows, or beside them. Its YAML says
`corpora`, the study's folders of the factorial (a folder below the study -> what its corpus is called), `claims` and
`tables` (`over_seeds.py` has what they are), and the picture is of the claims. Numbers at several updates have
`trainings` in place of `corpora`, and a `picture` of `panels`: title -> the fields of its numbers (`trajectories.py`).
Then
    {{ verdict CLAIM }}               is what the intervals of a claim say
    {{ claim CLAIM }}                 is a table of its effects
    {{ means TABLE }}                 is a table of means over seeds
    {{ effects TABLE }}               is a table of main effects and interactions, at equal updates and equal cost
    {{ rates MEASURE+MEASURE }}       is a table of the head's `units`: their bits per second, and what they tell
`numbers` names folders of the study whose files of lines are taken in as they are. `units` (a name -> `RUN TAP UNITS`,
of rows of `-d rate`, the only rows that are kept then) are arms of claims, too, with speakers in place of seeds:
`of: speakers`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import kept
from pages import Page

from s3prl_plugin.errors import UserError


def main(words: Sequence[str] | None = None) -> int:
    """Build the pages that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"a page: {', '.join(kept.names())} (default: all)")
    parser.add_argument("--study", type=Path, help="the folder of a run whose rows the page is to have from now on")
    parser.add_argument("--add", action="store_true", help="to what the page has: what the study has not stays")
    args = parser.parse_args(words)
    try:
        if args.add and args.study is None:
            raise UserError("--add: name the study that is to be added, --study FOLDER")
        if args.study is not None:
            if len(args.names) != 1:
                raise UserError("--study: name the page that is to have its rows")
            kept.take_in(args.names[0], args.study, args.add)
        for name in args.names or kept.names():
            built = Page.named(name)
            (kept.FOLDER / f"{name}.md").write_text(built.text(), encoding="utf-8")
            built.draw(kept.FOLDER / f"{name}.png")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
