"""Short texts written for this project (texts.jsonl), each plainly of one kind: three axes, seven of each kind.

They are a sanity check: a judge that confuses these texts is of no use.
"""

import json
from pathlib import Path
from typing import NamedTuple


class TextAxis(NamedTuple):
    question: str
    labels: tuple[str, str]  # (low, high)
    claims: tuple[str, str]  # what a text of each kind makes true
    rating: str
    anchors: tuple[tuple[str, ...], tuple[str, ...]]  # descriptions of each kind, for judges that compare vectors

    def read(self, name: str) -> tuple[list[str], list[int]]:
        """Returns the texts and their labels, 0 or 1."""
        lines = map(json.loads, Path(__file__).with_name("texts.jsonl").read_text(encoding="utf-8").splitlines())
        mine = [line for line in lines if line["axis"] == name]
        return [line["text"] for line in mine], [self.labels.index(line["label"]) for line in mine]


AXES = {
    "opinion": TextAxis(
        "Is the opinion about eating vegetables positive or negative?",
        ("negative", "positive"),
        ("The author dislikes eating vegetables.", "The author likes eating vegetables."),
        "How much does the author like vegetables, from 1 (not at all) to 9 (very much)?",
        (
            ("I hate vegetables, they are disgusting.", "a negative opinion about eating vegetables"),
            ("I love vegetables, they are delicious.", "a positive opinion about eating vegetables"),
        ),
    ),
    "genre": TextAxis(
        "Is this story a horror story or a romance story?",
        ("horror", "romance"),
        ("This is a horror story.", "This is a romance story."),
        "How romantic is this story, from 1 (it is horror) to 9 (it is a romance)?",
        (("a horror story full of fear and death",), ("a romance story full of love and tenderness",)),
    ),
    "ending": TextAxis(
        "Does the story have a tragic ending or a happy ending?",
        ("tragic", "happy"),
        ("The story ends in tragedy.", "The story ends happily."),
        "How happy is the ending of this story, from 1 (tragic) to 9 (very happy)?",
        (("the story ends in death, loss and grief",), ("the story ends in joy, reunion and success",)),
    ),
}
