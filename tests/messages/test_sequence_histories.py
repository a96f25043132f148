"""Random sequences and random histories of readers, against a model that is as plain as can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from wagtail_referrals.messages.walking import GAP, PATIENCE, Step, Walk, advance, mark_after_goal

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONDITIONS = ("", "a", "b")


@st.composite
def sequences(draw: Any) -> tuple[Step, ...]:
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 60),
                st.sampled_from(["start", "previous", "goal", "end", "other"]),
                st.sampled_from(CONDITIONS),
                st.booleans(),
            ),
            max_size=6,
        )
    )
    after = mark_after_goal([moment for _delay, moment, _condition, _negated in rows])
    return tuple(
        Step(
            key=f"step {index}",
            delay=timedelta(hours=delay),
            moment=moment,
            condition=condition,
            is_negated=negated,
            is_end=moment == "end",
            after_goal=follows,
        )
        for index, ((delay, moment, condition, negated), follows) in enumerate(zip(rows, after, strict=True))
    )


# When (hours after the start) the conditions begin to hold, the aim is reached, the two moments are; each maybe never.
moment = st.none() | st.integers(0, 100)
histories = st.fixed_dictionaries({"a": moment, "b": moment, "goal": moment, "end": moment, "other": moment})
# The hours between sweeps: most come in time, some days late.
sweeps = st.lists(st.sampled_from([1, 1, 1, 2, 5, 30, 100]), min_size=1, max_size=40)


class Model:
    """At each sweep every step is looked at, as an editor would with pencil and paper."""

    def __init__(self, steps: tuple[Step, ...], history: dict[str, int | None], has_goal: bool) -> None:
        self.steps, self.history, self.has_goal = steps, history, has_goal
        self.done: dict[str, datetime] = {}
        self.sent: list[tuple[str, datetime]] = []
        self.reached: datetime | None = None

    def at(self, what: str) -> datetime | None:
        hours = self.history[what]
        return None if hours is None else START + hours * HOUR

    def due(self, index: int) -> datetime | None:
        step = self.steps[index]
        if step.after_goal != (self.reached is not None):
            return None
        if step.moment == "goal":
            base = self.reached
        elif step.moment == "previous" and index > 0:
            base = self.done.get(self.steps[index - 1].key)
        elif step.moment in ("start", "previous"):
            base = START
        else:
            base = self.at(step.moment)
        if base is None:
            return None
        if step.moment == "end":
            return base - step.delay
        due = base + step.delay
        last = self.sent[-1][1] if self.sent else None
        return last + GAP if step.delay and last is not None and due <= last else due

    def sweep(self, now: datetime) -> None:
        goal = self.at("goal")
        if self.has_goal and self.reached is None and goal is not None and goal <= now:
            self.reached = now
        sent_now = False
        while True:
            ready = [
                (due, index)
                for index, step in enumerate(self.steps)
                if step.key not in self.done and (due := self.due(index)) is not None and due <= now
            ]
            if not ready:
                return
            due, index = min(ready)
            step = self.steps[index]
            if sent_now and step.delay:
                return
            self.done[step.key] = now
            end = self.at("end")
            if step.moment == "end" and end is not None and (now >= end or due < START):
                continue
            if step.condition:
                since = self.at(step.condition)
                if (since is not None and since <= now) is step.is_negated:
                    continue
            self.sent.append((step.key, now))
            sent_now = True


@settings(max_examples=300)
@given(steps=sequences(), history=histories, pauses=sweeps, has_goal=st.booleans())
def test_what_is_sent_is_what_the_plain_model_says(
    steps: tuple[Step, ...], history: dict[str, int | None], pauses: list[int], has_goal: bool
) -> None:
    model = Model(steps, history, has_goal)
    walk = Walk(started_at=START)
    sent: list[tuple[str, datetime]] = []
    now, next_at = START, START
    for pause in pauses:
        model.sweep(now)
        # Only who is due is looked at: what that leaves out must not have mattered.
        if next_at is not None and next_at <= now:
            walk.moments = {key: found for key in ("end", "other") if (found := model.at(key)) is not None}
            goal = model.at("goal")
            if has_goal and walk.reached_at is None and goal is not None and goal <= now:
                walk.reached_at = now

            def holds(key: str, now: datetime = now) -> bool:
                since = model.at(key)
                return since is not None and since <= now

            result = advance(steps, walk, now, has_goal=has_goal, holds=holds)
            sent += [(step.key, now) for step in result.sent]
            assert result.next_at is None or result.next_at > now
            if result.next_at is None:
                begun = max([START, *walk.done.values()])
                assert walk.reached_at is not None or not has_goal or now - begun >= PATIENCE
            next_at = result.next_at  # type: ignore[assignment]
        assert sent == model.sent
        assert len({key for key, _now in sent}) == len(sent), "nothing is sent twice"
        now += pause * HOUR
