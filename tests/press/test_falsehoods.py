"""What `make falsehoods` plants is somewhere else each time, and is what it says."""

import random
from collections import Counter
from itertools import pairwise

import falsehoods

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


def test_constants_are_those_of_the_code_not_of_its_words():
    text = '"""Half of 2.5."""\nROOM = 3  # not 4\nname = "sigma2"\n'
    assert [old for _, _, old, _ in falsehoods.of_module(text)] == ["3"]
