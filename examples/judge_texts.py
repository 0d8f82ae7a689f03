"""A language model writes texts and judges them: a map of opinions from negative to positive (QDAIF, Bradley et al. 2024).

    python examples/judge_texts.py

It talks to a toy endpoint in this process, which understands nothing, so that the example needs no network. For a real model
replace `lm` by LM(model="...", base_url="http://127.0.0.1:8000/v1"): any endpoint of the OpenAI kind.
"""

import qd
from domains.text import Texts
from domains.text.lmx import Near
from domains.text.writer import Writer
from feedback.descriptors.select import Select
from feedback.judges.grading.in_words import InWords
from feedback.lm.client import LM
from feedback.lm.toy import Toy
from qd.archives import Grid

lm = LM(model="toy", server=Toy())
seeds = (  # written by hand; the model goes on from these
    "I love the smell of the morning: cycling is pure joy, and the best start of a happy day.",
    "Cold hands, lost time and a wet back: I hate every morning of it, and so does the dead bird on my way.",
    "It takes as long as the bus.",
)
writer = Writer(lm, "An opinion about cycling to work", seeds)
grade = InWords(
    lm,
    quality="The text is an opinion about cycling to work.",
    axes=(("Is the opinion negative or positive?", "negative", "positive"),),
)
search = qd.Search(
    domain=Texts(writer, grade),  # features: kind [B, 1], where the judge puts a text; words [B, 1]
    descriptor=Select("kind", bounds=((0, 1),)),
    archive=Grid((20,)),
    emitter=Near(writer, batch_size=4),  # shows the writer elites that are near each other on the map
)
state, _ = qd.start(search, qd.keys.new(0), search.domain.sample(qd.keys.new(1), 8))
for state, batch in qd.run(search, state, until=40):
    pass

for elite in sorted(state.archive, key=lambda elite: elite["measures"][0]):
    print(f"{elite['measures'][0]:.2f}  quality {elite['objective']:.2f}  {elite['solution'][:70]}")
calls = sum(role["calls"] for role in lm.report())
print(f"{state.evaluations} texts, {len(state.archive)} elites, {calls} calls")
