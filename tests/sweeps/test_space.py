"""What a sweep tries: what can be written, what the samplers make of it, and what is said of mistakes."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SettingsError
from engine.nn.optimizers import OPTIMIZERS
from engine.sweeps.samplers import Grid, Random
from engine.sweeps.space import Choice, Range, Space, space_of, written

UNIT = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(1e-300, 1e300)
SEEDS = st.integers(0, 2**63 - 1)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("lr", "0.1", Choice((0.1,))),
        ("lr", "0.1, 1e-3", Choice((0.1, 0.001))),
        ("optimizer", "sgd,adam", Choice(("sgd", "adam"))),
        ("augment", "true,false", Choice((True, False))),
        ("model", "letters,my:model.toml", Choice(("letters", "my:model.toml"))),
        ("batch_size", "16,64", Choice((16, 64))),
        ("lr", "1e-4:1e-1:log", Range(1e-4, 1e-1, log=True, integer=False)),
        ("dropout", "0:0.5", Range(0.0, 0.5, log=False, integer=False)),
        ("batch_size", "16:64", Range(16, 64, log=False, integer=True)),
        ("lr", "0.001:1:log:4", Choice((0.001, 0.01, 0.1, 1.0))),
        ("lr", "0.001:1:4:log", Choice((0.001, 0.01, 0.1, 1.0))),
        ("dropout", "0:0.5:3", Choice((0.0, 0.25, 0.5))),
        ("batch_size", "1:3:9", Choice((1, 2, 3))),
        ("batch_size", "16:128:log:4", Choice((16, 32, 64, 128))),
        ("seed", f"{2**62}:{2**63 - 1}:2", Choice((2**62, 2**63 - 1))),
    ],
)
def test_what_can_be_written(name: str, text: str, expected: object) -> None:
    [dimension] = space_of({name: text}).values()
    if isinstance(expected, Choice) and isinstance(expected.values[0], float):
        assert isinstance(dimension, Choice)
        assert dimension.values == pytest.approx(expected.values, rel=1e-12)
        assert (dimension.values[0], dimension.values[-1]) == (expected.values[0], expected.values[-1]), "exactly"
    else:
        assert dimension == expected
        assert repr(dimension) == repr(expected), "True is not 1"


def test_values_may_be_a_sequence() -> None:
    given: dict[str, Any] = {"lr": [0.1, 1e-05], "augment": [True, False], "batch-size": "8,16", "optimizer": ("sgd",)}
    over = written(given)
    assert over == {"lr": "0.1,1e-05", "augment": "true,false", "batch_size": "8,16", "optimizer": "sgd"}
    assert space_of(over)["augment"] == Choice((True, False))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("lrr", "1", "over 'lrr': that is no setting; did you mean 'lr'? There are model, batch_size, microbatch"),
        ("workers", "1,2", "over 'workers': that changes no result. There are model"),
        ("time_limit", "1,2", "over 'time_limit': that changes no result. There are"),
        ("lr", "abc", "over lr: 'abc' is not a number"),
        ("lr", "", "over lr: an empty value; give values as a,b,c"),
        ("lr", "0.1,,1", "over lr: an empty value"),
        ("lr", "0.1,1e-1", "over lr: '0.1,1e-1' has a value twice"),
        ("lr", "-1:1", "over lr: lr must be a finite number above 0, got -1.0"),
        ("lr", "1:inf", "over lr: lr must be a finite number above 0, got inf"),
        ("lr", "nan,1", "over lr: lr must be a finite number above 0, got nan"),
        ("lr", "1:0.1", "over lr: '1:0.1' is not a range; 0.1 must be above 1"),
        ("lr", "1:1", "over lr: '1:1' is not a range; 1 must be above 1"),
        ("dropout", "0:0.5:log", "over dropout: a range in powers must begin above 0, got 0"),
        ("dropout", "0:1", "over dropout: dropout must be a number of at least 0 and below 1, got 1.0"),
        ("lr", "1:2:lin", "over lr: '1:2:lin' is not a range; write low:high, low:high:log, low:high:log:5"),
        ("lr", "1:2:log:log", "is not a range"),
        ("lr", "1:2:3:4", "is not a range"),
        ("lr", "1:2:1", "over lr: 1 values of a range; there must be from 2 to 100000"),
        ("lr", "1:2:100001", "100001 values of a range"),
        ("batch_size", "1.5", "over batch_size: '1.5' is not a whole number"),
        ("batch_size", "0:9", "over batch_size: batch-size must be a whole number from 1 to"),
        ("augment", "yes", "over augment: augment must be true or false, or changes such as"),
        ("optimizer", "sgd,rms", f"over optimizer: optimizer must be one of {', '.join(OPTIMIZERS)}, got 'rms'"),
    ],
)
def test_what_cannot_be_written(name: str, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        space_of(written({name: text}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"freeze": ["c1,c2", "c3"]}, "over freeze: 'c1,c2' has a comma, which separates values"),
        ({"augment": ["shift=2,flip", False]}, "over augment: 'shift=2,flip' has a comma"),
        ({"lr": 0.1}, "over lr: give values as a sequence or as text, got 0.1"),
    ],
)
def test_what_cannot_be_one_of_several_values(values: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        written(values)


def test_a_setting_is_given_once_and_there_is_one() -> None:
    with pytest.raises(SettingsError, match="over batch_size: it is given twice"):
        written({"batch_size": "1", "batch-size": "2"})
    with pytest.raises(SettingsError, match="a sweep needs something to try"):
        space_of({})


@given(low=POSITIVE, high=POSITIVE, u=UNIT, log=st.booleans())
def test_a_range_of_numbers_keeps_within_itself(low: float, high: float, u: float, log: bool) -> None:
    low, high = sorted((low, high))
    if low < high:
        x = Range(low, high, log, integer=False).at(u)
        assert isinstance(x, float)
        assert low <= x <= high


@given(low=st.integers(1, 2**40), width=st.integers(1, 2**40), u=UNIT, log=st.booleans())
def test_a_range_of_whole_numbers_has_both_ends(low: int, width: int, u: float, log: bool) -> None:
    over = Range(low, low + width, log, integer=True)
    assert over.at(u) in range(low, low + width + 1)
    assert type(over.at(u)) is int
    assert over.at(0.0) == low
    assert over.at(math.nextafter(1.0, 0.0)) == low + width


def test_whole_numbers_are_as_likely_as_each_other_and_in_powers_the_small_ones() -> None:
    plain = [Range(1, 4, log=False, integer=True).at((n + 0.5) / 1000) for n in range(1000)]
    assert [plain.count(n) for n in range(1, 5)] == [250] * 4
    log = [Range(1, 3, log=True, integer=True).at((n + 0.5) / 1000) for n in range(1000)]
    for n in (1, 2, 3):  # n takes the part log(n + 1) - log(n) of log(4)
        assert log.count(n) == pytest.approx(1000 * math.log((n + 1) / n) / math.log(4), abs=1)


SPACES = st.dictionaries(
    st.sampled_from(["lr", "momentum", "batch_size", "seed"]),
    st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True).map(lambda values: Choice(tuple(values))),
    min_size=1,
)


@given(space=SPACES)
def test_a_grid_is_every_combination_once_the_last_changing_fastest(space: Space) -> None:
    grid = Grid(space)
    found = [tuple(grid.suggest(number).values()) for number in range(1, grid.size + 1)]
    assert found == list(itertools.product(*(axis.values for axis in space.values() if isinstance(axis, Choice))))
    assert list(grid.suggest(1)) == list(space)


def test_a_grid_has_every_whole_number_and_wants_a_count_of_others() -> None:
    grid = Grid(space_of({"batch_size": "2:4", "lr": "0.1:1:2"}))
    assert [tuple(grid.suggest(n).values()) for n in range(1, 7)] == [
        (b, lr) for b in (2, 3, 4) for lr in (0.1, 1.0)
    ]  # fmt: skip
    for over in ({"lr": "0.1:1:log"}, {"dropout": "0:0.5"}, {"batch_size": "1:9:log"}, {"seed": "0:1000000"}):
        [(name, text)] = over.items()
        with pytest.raises(SettingsError, match=f"over {name}: a grid needs to know how many values.*: {name}={text}"):
            Grid(space_of(over))


@given(seed=SEEDS, numbers=st.permutations(range(1, 6)))
def test_a_random_trial_depends_on_seed_and_number_alone(seed: int, numbers: list[int]) -> None:
    space = space_of({"lr": "1e-4:1e-1:log", "optimizer": "sgd,adam", "batch_size": "1:99"})
    sampler = Random(space, seed)
    in_order = {number: Random(space, seed).suggest(number) for number in sorted(numbers)}
    assert {number: sampler.suggest(number) for number in numbers} == in_order
    assert len({trial["lr"] for trial in in_order.values()}) == 5
    assert Random(space, seed ^ 1).suggest(1) != in_order[1]


def test_random_trials_are_spread_evenly() -> None:
    sampler = Random(space_of({"lr": "1e-4:1:log", "optimizer": "sgd,momentum,adam"}), 3)
    trials = [sampler.suggest(number) for number in range(1, 3001)]
    decades = [math.floor(math.log10(float(trial["lr"]))) for trial in trials]
    for decade in (-4, -3, -2, -1):  # binomial: 750 expected, deviation 24
        assert abs(decades.count(decade) - 750) < 5 * 24
    for name in ("sgd", "momentum", "adam"):  # 1000 expected, deviation 26
        assert abs([trial["optimizer"] for trial in trials].count(name) - 1000) < 5 * 26
