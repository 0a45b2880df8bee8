"""Settings: what is allowed, what a message says, and which defaults depend on the machine."""

import math
import sys
from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from engine.errors import SettingsError
from engine.nn.optimizers import SGD, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSprop
from engine.settings import ENDS, TRAJECTORY, Settings, SettingsDict, given_settings, settings_of
from engine.system.cores import usable_cores


def test_a_former_name_is_understood() -> None:
    assert Settings.build({"mailbox": False}).shared_memory is False
    assert Settings.build({"shared_memory": True, "mailbox": False}).shared_memory is False


def test_the_keyword_arguments_are_the_settings_besides_the_optimizer() -> None:
    assert get_type_hints(SettingsDict) | {"optimizer": str} == get_type_hints(Settings)
    assert SettingsDict.__required_keys__ == frozenset()


def test_what_is_given_counts_over_settings_and_those_over_nothing_that_is_a_default() -> None:
    chosen = Settings(batch_size=8, lr=0.5, optimizer="sgd")
    assert given_settings(None, None, {}) == {}
    assert given_settings(chosen, None, {}) == {"batch_size": 8, "lr": 0.5, "optimizer": "sgd"}
    given = given_settings(chosen, Adam(lr=0.25), {"batch_size": 4, "lr": None, "typo": 1})
    assert given == {"batch_size": 4, "typo": 1} | settings_of(Adam(lr=0.25))


def test_the_defaults_are_valid_and_resolve() -> None:
    settings = Settings().resolved()
    assert settings.workers == min(usable_cores(), 8)
    assert Settings(batch_size=8).resolved().workers == 1, "more would have no micro-batch to compute"
    assert (settings.lr, settings.epochs, settings.steps) == (Adam().lr, 3, None)
    assert settings.make_optimizer() == Adam()
    assert Settings(**settings.asdict()) == settings == settings.resolved()


@pytest.mark.parametrize(("batch_size", "microbatch"), [(1, 8), (64, 8), (255, 8), (256, 16), (4096, 16)])
def test_the_default_micro_batch_is_that_of_the_batch(batch_size: int, microbatch: int) -> None:
    settings = Settings(batch_size=batch_size)
    assert settings.resolved().microbatch == settings.microbatch_size == microbatch
    assert settings.microbatches == -(-batch_size // microbatch)
    assert Settings(batch_size=batch_size, microbatch=5).resolved().microbatch == 5


@pytest.mark.parametrize("end", [{"steps": 5}, {"epochs": 1}, {"time_limit": 2}, {"target": 90.0}])
def test_three_epochs_only_if_nothing_else_ends_the_run(end: dict[str, Any]) -> None:
    assert Settings(**end).resolved().epochs == end.get("epochs")


def test_the_learning_rate_is_the_optimizers_own_unless_given() -> None:
    assert Settings(optimizer="sgd").resolved().lr == SGD().lr
    assert Settings(optimizer="sgd", lr=3).resolved().lr == 3


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(lr=0.5, weight_decay=0.1),
        Momentum(lr=0.1, momentum=0.5),
        Nesterov(lr=0.2),
        RMSprop(alpha=0.5),
        Adam(beta1=0.5, epsilon=1e-3),
        AdamW(weight_decay=0.0),
    ],
)
def test_an_optimizer_survives_the_way_through_settings(optimizer: Optimizer) -> None:
    assert Settings.build(settings_of(optimizer)).make_optimizer() == optimizer


def test_an_optimizer_may_be_named() -> None:
    assert settings_of("momentum") == {"optimizer": "momentum"}
    with pytest.raises(SettingsError, match=r"optimizer must be one of sgd, .*, adamw or an object .* got 3"):
        settings_of(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "samples", "last"),
    [
        ({"steps": 7}, 100, 7),
        ({"epochs": 2, "batch_size": 30}, 100, 8),
        ({"epochs": 2, "batch_size": 30, "steps": 7}, 100, 7),
        ({"epochs": 2, "batch_size": 30, "steps": 9}, 100, 8),
        ({"target": 50}, 100, None),
    ],
)
def test_the_last_step(given: dict[str, Any], samples: int, last: int | None) -> None:
    assert Settings(**given).resolved().last_step(samples) == last


@pytest.mark.parametrize(("workers", "least"), [(2, 3), (0, 1)])
def test_no_run_waits_for_more_workers_than_it_can_have(workers: int, least: int) -> None:
    said = rf"min-workers must be at most the number of workers, {workers}, got {least}"
    with pytest.raises(SettingsError, match=said):
        Settings(workers=workers, min_workers=least).resolved()
    assert Settings(workers=2, min_workers=2).resolved().min_workers == 2


def test_an_unknown_setting_is_named_and_guessed_at() -> None:
    with pytest.raises(SettingsError, match=r"^no setting 'batchsize'; did you mean 'batch_size'"):
        Settings.build({"batchsize": 3})
    with pytest.raises(SettingsError, match=r"^no setting 'colour'$"):
        Settings.build({"colour": "red"})


VALUES = ("x", None, [1], -1, 10**400, math.nan, math.inf, True, 1.5, 0, 1, 1.0, 1e-320)


def allowed(value: Any, rule: Any) -> bool:
    """Return whether a setting with `rule` may have `value`."""
    if value is None:
        return bool(rule.get("optional"))
    if rule["kind"] is bool or rule.get("switch"):
        return isinstance(value, bool)
    if rule["kind"] is str:
        return isinstance(value, str) and value in rule.get("choices", (value,))
    # A bool is no number, and neither is what a float cannot hold.
    if not isinstance(value, rule["kind"] | int) or isinstance(value, bool) or not value <= sys.float_info.max:
        return False
    outside = [rule[end] for end, name in (("low", "above"), ("high", "below")) if rule.get(name)]
    return bool(rule["low"] <= value <= rule["high"]) and value not in outside


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value!r:.9}")
def test_any_value_is_either_taken_or_refused_with_its_name(field: Any, value: Any) -> None:
    given: dict[str, Any] = {field.name: value}
    if allowed(value, field.metadata):
        assert getattr(Settings(**given), field.name) == value
        return
    with pytest.raises(SettingsError, match=f"^{field.name.replace('_', '-')} must be ") as caught:
        Settings(**given)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "checkpoint_every",
            "10x",
            "checkpoint-every must be a whole number from 0 to 1099511627776, or a time (10m), got '10x'",
        ),
        (
            "checkpoint_every",
            "0m",
            "checkpoint-every must be a whole number from 0 to 1099511627776, or a time (10m), got '0m'",
        ),
        ("workers", -1, "workers must be a whole number from 0 to 4096, got -1"),
        ("lr", 0, "lr must be a finite number above 0, got 0"),
        ("beta1", 1.0, "beta1 must be a number of at least 0 and below 1, got 1.0"),
        ("target", 101, "target must be a number from 0 to 100, got 101"),
        (
            "augment",
            "yes",
            "augment must be true or false, or changes such as shift=2,flip,rotate=10,crop,noise=5, got 'yes': no "
            "change is called 'yes'",
        ),
        ("optimizer", "adma", "optimizer must be one of sgd, momentum, nesterov, rmsprop, adam, adamw, got 'adma'"),
    ],
)
def test_messages(name: str, value: object, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.build({name: value})
    assert str(caught.value) == text


def test_every_setting_has_a_help_text_and_a_default_that_is_valid() -> None:
    names = {field.name for field in fields(Settings)}
    assert all(field.metadata["help"] for field in fields(Settings))
    assert set(ENDS) | set(TRAJECTORY) <= names
    # The rest may change from sitting to sitting without changing a bit of the result.
    free = {
        "on",
        "bind",
        "key",
        "key_mode",
        "insecure",
        "workers",
        "min_workers",
        "audit",
        "kernels",  # but for numpy, whose bits are its own: a resumed run says so
        "allow_slow",
        "shared_memory",
        "local",
        "validate_every",
        "top_k",
        "checkpoint_every",
        "statistics_every",
    }
    assert names - set(ENDS) - set(TRAJECTORY) == free | {
        "snapshot_first",
        "snapshot_every",
        "snapshot_budget",
        "snapshot_layers",
    }


@pytest.mark.parametrize("given", [{"key": "k"}, {"insecure": True}, {"bind": "b", "key": "k", "insecure": True}])
def test_keys_belong_to_an_address_and_exclude_none(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"^key|^insecure"):
        Settings(**given).resolved()


@pytest.mark.parametrize("name", ["steps", "lr", "augment", "optimizer", "bind"])
def test_a_number_that_python_does_not_print(name: str) -> None:
    with pytest.raises(SettingsError, match="got a number with too many digits"):
        Settings.build({name: 1 << 20_000})
