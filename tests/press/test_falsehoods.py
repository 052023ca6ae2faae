"""What `make falsehoods` plants is somewhere else each time, and is what it says."""

import random
from collections import Counter
from itertools import pairwise

import falsehoods
import pytest
from checkout import ROOT

PAGE = """
Most draws lie above {glue:text}`low:.1f` and below {glue:text}`high:.1f`.{claim}`low high`

```{code-cell} ipython3
rows = {
    "lower": values[..., 0].mean(),
    "upper": values[..., 1].mean(),
}
plt.plot(at, lower, label="lower")
plt.plot(at, upper, label="upper")
```

```{code-cell} ipython3
:tags: [remove-cell]

claim("low", values.min(), above=0, exact=True, says="It is so.")
```
"""


def test_edits_are_of_claimed_sentences_and_of_displayed_code():
    edits = [*falsehoods.of_words(PAGE), *falsehoods.of_code(PAGE)]
    assert Counter(kind for kind, *_ in edits) == {
        "a word turned round": 2, "two values exchanged": 1, "another place": 2,
        "another summary": 2, "names in a table": 1, "labels of a legend": 1}
    texts = [falsehoods.planted(PAGE, edit) for edit in edits]
    assert len({*texts}) == len(edits)
    assert all(text.split(":tags:")[1] == PAGE.split(":tags:")[1] for text in texts)
    swapped = ['"upper": values[..., 0]', '"lower": values[..., 1]']
    assert sum(all(one in text for one in swapped) for text in texts) == 1


def test_no_two_of_those_chosen_overlap():
    edits = [*falsehoods.of_code(PAGE)]
    for number in range(20):
        chosen = falsehoods.chosen(edits, 1, random.Random(number))
        ends = sorted((at, at + len(old)) for _, at, old, _ in chosen)
        assert all(one[1] < other[0] for one, other in pairwise(ends))
        assert max(Counter(kind for kind, *_ in chosen).values()) == 1


@pytest.mark.parametrize(("page", "module", "old", "new"), falsehoods.PACKAGE)
def test_what_is_planted_in_the_package_stands_there_once(page, module, old, new):
    assert (ROOT / f"code/mixtures/{module}.py").read_text("utf-8").count(old) == 1
    assert (ROOT / f"book/{page}.md").exists() and new != old


@pytest.mark.parametrize(("page", "part", "why"), falsehoods.HARMLESS)
def test_what_is_called_harmless_stands_in_its_page(page, part, why):
    assert part in (ROOT / f"book/{page}.md").read_text("utf-8") and why


def test_captions_that_claim_are_exchanged():
    figure = "    caption: |\n      {}\n---\nplot()\n"
    text = "".join(map(figure.format, ("One.{claim}`one`", "Two.{claim}`two`", "None.")))
    (edit,) = falsehoods.of_captions(text)
    swapped = falsehoods.planted(text, edit)
    assert swapped.index("`two`") < swapped.index("`one`") < swapped.index("None.")
    assert len(swapped) == len(text)
