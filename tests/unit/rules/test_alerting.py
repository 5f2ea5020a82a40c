"""Alerts: one for an incident and one for its end, whatever a check does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.alerting import Alert, Alerting
from comfynb.rules.health import Finding, HealthLimits

STATES = st.sampled_from(["ok", "warn", "bad"])
LIMITS = st.builds(
    HealthLimits,
    level=st.sampled_from(["warn", "bad"]),
    after=st.integers(1, 4),
    over=st.integers(1, 4),
    ignore=st.sampled_from([(), ("b",), ("*",)]),
)
LOOKS = st.lists(st.tuples(st.dictionaries(st.sampled_from("abc"), STATES), st.booleans()), max_size=40)


def look(alerting: Alerting, states: dict[str, str], limits: HealthLimits, complete: bool = True) -> tuple[Alert, ...]:
    """Take in checks by their names."""
    found = [Finding(name, state, "seen", "advice") for name, state in states.items()]  # type: ignore[arg-type]
    return alerting.look(found, limits, complete=complete)


@given(LOOKS, LIMITS)
def test_an_incident_is_told_once_and_its_end_once(
    looks: list[tuple[dict[str, str], bool]], limits: HealthLimits
) -> None:
    """Never two beginnings without an end between them, never an end without a beginning; both have one number."""
    alerting = Alerting()
    going: dict[str, int] = {}
    numbers: list[int] = []
    for states, complete in looks:
        for alert in look(alerting, states, limits, complete):
            if alert.over:
                assert going.pop(alert.check) == alert.incident
            else:
                assert alert.check not in going
                going[alert.check] = alert.incident
                numbers.append(alert.incident)
        assert set(alerting.open) == going.keys()
    assert numbers == sorted(set(numbers))


@given(st.lists(STATES, max_size=40), LIMITS)
def test_an_alert_needs_as_many_looks_as_the_limits_say(states: list[str], limits: HealthLimits) -> None:
    """One after the other: what flaps more quickly raises nothing, and ends nothing."""
    alerting, wrong = Alerting(), []
    for state in states:
        wrong.append(state == "bad" or (state == "warn" and limits.level == "warn"))
        for alert in look(alerting, {"a": state}, limits):
            needed = limits.over if alert.over else limits.after
            assert wrong[-needed:] == [not alert.over] * needed
            assert "*" not in limits.ignore


@given(st.lists(STATES, max_size=30), LIMITS)
def test_what_lasts_is_told(states: list[str], limits: HealthLimits) -> None:
    """After whatever came before, so many bad looks leave an incident, and so many good ones none."""
    alerting = Alerting()
    for state in [*states, *["bad"] * limits.after]:
        look(alerting, {"a": state}, limits)
    assert bool(alerting.open) == ("*" not in limits.ignore)
    for _ in range(limits.over):
        look(alerting, {"a": "ok"}, limits)
    assert alerting.open == ()


def test_what_flaps_on_every_look_is_never_told() -> None:
    """With the limits that hold by default."""
    alerting = Alerting()
    assert [look(alerting, {"a": state}, HealthLimits()) for state in ["bad", "ok"] * 20] == [()] * 40


def test_what_could_not_be_looked_at_stays_as_it_was() -> None:
    """While the server is down nothing is known of a machine; once it is back and the machine is gone, that is over."""
    alerting, limits = Alerting(), HealthLimits(after=1, over=1)
    assert [alert.over for alert in look(alerting, {"machine": "bad", "server": "ok"}, limits)] == [False]
    assert [alert.check for alert in look(alerting, {"server": "bad"}, limits, complete=False)] == ["server"]
    assert set(alerting.open) == {"machine", "server"}
    over = look(alerting, {"server": "ok"}, limits)
    assert {(alert.check, alert.over) for alert in over} == {("machine", True), ("server", True)}


def test_getting_worse_is_the_same_incident() -> None:
    """And what is ignored from now on is over."""
    alerting, limits = Alerting(), HealthLimits(level="warn", after=1, over=1)
    assert len(look(alerting, {"a": "warn"}, limits)) == 1
    assert look(alerting, {"a": "bad"}, limits) == ()
    (end,) = look(alerting, {"a": "bad"}, HealthLimits(level="warn", after=1, over=1, ignore=("a",)))
    assert end.over


def test_it_remembers_only_what_is_not_well() -> None:
    """However many machines there have been."""
    alerting = Alerting()
    for number in range(1000):
        look(alerting, {f"machine {number}": "bad", "server": "ok"}, HealthLimits())
    assert len(alerting._checks) <= 2
