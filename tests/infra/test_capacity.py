"""Capacity: queues against closed forms, the calculator against sums done by hand."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest
import simpy
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.capacity import tables
from infra.capacity.__main__ import capacity
from infra.capacity.calculator import Load, estimate
from infra.capacity.long_recordings import ROWS, anonymised, pieces_1080p, waited_beside
from infra.capacity.measure import line
from infra.capacity.simulation import Burst, Pool, Wait, in_pieces, simulate
from infra.capacity.tables import Pieces, Rate, busy_s, pieces, rates, size_of, upload_steps
from shared.pipeline import BY_NAME, PROBE, functions

SAME = {"spread": 0.0, "over_s": 1.0}


def run_pool(
    limit: int, gaps_s: list[float], services_s: list[float], cold_start_s: float = 0.0
) -> tuple[Pool, float]:
    """Messages after ``gaps_s`` each; returns the pool and when all were served."""
    env = simpy.Environment()
    pool = Pool(env, limit, cold_start_s)

    def arrivals() -> Wait:
        for gap_s, service_s in zip(gaps_s, services_s, strict=True):
            yield env.timeout(gap_s)
            env.process(pool.serve(service_s))

    env.process(arrivals())
    env.run()
    return pool, env.now


# -- one pool ------------------------------------------------------------------------------------


@given(st.integers(1, 50), st.integers(1, 12), st.floats(0.1, 10))
def test_all_at_once_takes_as_many_rounds_as_it_must(
    messages: int, limit: int, service_s: float
) -> None:
    """D/D/c from a standing start."""
    pool, ended_s = run_pool(limit, [0.0] * messages, [service_s] * messages)
    assert ended_s == pytest.approx(math.ceil(messages / limit) * service_s)
    assert pool.served == messages and pool.started == min(messages, limit)


@pytest.mark.heavy
def test_one_server_waits_as_pollaczek_and_khinchine_say() -> None:
    """M/D/1: the mean wait is rho S / (2 (1 - rho))."""
    chance, rho = random.Random(1), 0.7
    gaps_s = [chance.expovariate(rho) for _ in range(60_000)]
    pool, _ = run_pool(1, gaps_s, [1.0] * len(gaps_s))
    assert pool.waited_s / pool.served == pytest.approx(rho / (2 * (1 - rho)), rel=0.05)


def erlang_wait_s(servers: int, offered: float) -> float:
    """M/M/c with a mean service of 1 s: the mean wait is C(c, a) / (c - a)."""
    terms = [offered**k / math.factorial(k) for k in range(servers + 1)]
    last = terms[servers] * servers / (servers - offered)
    return last / (sum(terms[:servers]) + last) / (servers - offered)


@pytest.mark.heavy
def test_several_servers_wait_as_erlang_says() -> None:
    chance, servers, offered = random.Random(2), 4, 3.0
    gaps_s = [chance.expovariate(offered) for _ in range(80_000)]
    services_s = [chance.expovariate(1.0) for _ in gaps_s]
    pool, _ = run_pool(servers, gaps_s, services_s)
    assert pool.waited_s / pool.served == pytest.approx(erlang_wait_s(servers, offered), rel=0.1)


@pytest.mark.heavy
def test_even_service_makes_several_servers_wait_about_half_as_long() -> None:
    """M/D/c by Cosmetatos' approximation (1975), within its own 2 % and the sample's few."""
    chance, servers, offered = random.Random(3), 5, 4.0
    gaps_s = [chance.expovariate(offered) for _ in range(80_000)]
    pool, _ = run_pool(servers, gaps_s, [1.0] * len(gaps_s))
    rho = offered / servers
    spread = (1 - rho) * (servers - 1) * (math.sqrt(4 + 5 * servers) - 2) / (16 * rho * servers)
    expected_s = 0.5 * (1 + spread) * erlang_wait_s(servers, offered)
    assert pool.waited_s / pool.served == pytest.approx(expected_s, rel=0.08)


def test_nobody_waits_where_there_is_room_but_for_cold_starts() -> None:
    pool, _ = run_pool(100, [1.0] * 50, [5.0] * 50, cold_start_s=2.0)
    assert pool.started == 7, "5 s of work and 2 s of starting, once a second"
    assert pool.waited_s == pytest.approx(7 * 2.0)


# -- the burst -----------------------------------------------------------------------------------


def test_a_burst_at_one_bottleneck_ends_when_the_bottleneck_has_done_its_work() -> None:
    burst = Burst(200, video_share=0.0, **SAME)
    limits = dict.fromkeys(functions(), 10_000) | {PROBE: 4}

    def service_s(step: str, media_s: float) -> float:
        return 10.0 if step == PROBE else 0.001

    outcome = simulate(burst, limits=limits, service_s=service_s, sample_s=5.0)
    cold_s = tables.assumed("cold_start_s")
    last_s = cold_s + 200 / 4 * 10.0
    assert outcome.latencies_s[-1] == pytest.approx(last_s, rel=0.05)
    assert max(outcome.instances[PROBE]) == 4
    assert max(outcome.backlog[PROBE]) == pytest.approx(196, abs=1)
    assert outcome.drained_s(PROBE) == pytest.approx(last_s - 10, abs=10)


def test_each_step_of_each_recording_is_served_once_and_in_order() -> None:
    outcome = simulate(Burst(50, video_share=1.0, **SAME))
    assert sum(outcome.served.values()) == 50 * len(upload_steps(video=True))
    longest_s = sum(busy_s(step, 180.0) for step in (PROBE, "detect.regions", "anonymise.faces"))
    assert outcome.latencies_s[0] >= longest_s, "anonymising follows detecting follows probing"


def test_the_same_burst_gives_the_same_outcome() -> None:
    assert simulate(Burst(100)) == simulate(Burst(100))
    assert simulate(Burst(100)) != simulate(Burst(100, seed=7))


def test_more_instances_never_make_it_later() -> None:
    burst = Burst(300, **SAME)
    slow = simulate(burst, limits=dict.fromkeys(["probe", *functions()], 5))
    fast = simulate(burst, limits=dict.fromkeys(["probe", *functions()], 20))
    assert fast.percentile_s(0.5) < slow.percentile_s(0.5)
    assert fast.latencies_s[-1] < slow.latencies_s[-1]


# -- long recordings -----------------------------------------------------------------------------


def test_long_recordings_are_split_as_the_engines_do() -> None:
    from functions.anonymise import faces
    from functions.detect import regions, visual_meta
    from functions.render import video
    from functions.separate import stems
    from functions.transcribe import words
    from shared.contracts.step_engine import MOST_PARTS

    stated = {step: (row["part_s"], row["most"]) for step, row in rates()["parts"]["steps"].items()}
    assert stated == {
        "detect.regions": (regions.PART_MS / 1000, MOST_PARTS),
        "detect.visual_meta": (visual_meta.PART_MS / 1000, MOST_PARTS),
        "anonymise.faces": (faces.PART_MS / 1000, MOST_PARTS),
        "render.video": (video.PART_MS / 1000, MOST_PARTS),
        "separate.stems": (stems.PART_MS / 1000, MOST_PARTS),
        "transcribe.words": (words.PART_SPEECH_MS / 1000, words.MOST_PARTS),
    }


def test_each_part_pays_for_its_start_and_a_short_recording_for_none() -> None:
    def service_s(_step: str, media_s: float) -> float:
        return 3.0 + media_s

    hour, minute = (pieces("detect.regions", media_s, service_s) for media_s in (3600.0, 60.0))
    assert (hour.count, hour.each_s, hour.joined_s, hour.messages) == (60, 63.0, 3.0, 62)
    assert (minute.count, minute.messages, minute.busy_s) == (0, 1, 63.0)
    assert hour.busy_s == pytest.approx(60 * 63 + 3 + tables.assumed("transfer_s"))


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(2, 60))
def test_parts_take_as_many_rounds_as_instances_and_rows_leave(
    instances: int, rows: int, count: int
) -> None:
    env = simpy.Environment()
    pool, turns = Pool(env, instances), simpy.Resource(env, rows)
    env.process(in_pieces(env, pool, Pieces(count, 10.0, 1.0, 2.0), turns))
    env.run()
    assert env.now == pytest.approx(1 + math.ceil(count / min(instances, rows)) * 10 + 2)


def test_an_hour_on_more_instances_is_sooner_for_about_the_same_money() -> None:
    found = [anonymised(instances) for instances in (1, 8, 32, 128)]
    walls_s = [one.wall_s for one in found]
    assert walls_s == sorted(walls_s, reverse=True)
    assert walls_s[0] > 6 * walls_s[1] and walls_s[0] > 18 * walls_s[2]
    assert {one.messages for one in found} == {1 + 62 + 32}
    assert found[-1].dollars < 1.5 * found[0].dollars


@pytest.mark.parametrize("step", ["detect.regions", "anonymise.faces"])
def test_a_minute_of_one_tenant_does_not_wait_for_ten_hours_of_another(step: str) -> None:
    bound, unbound = (waited_beside(step, 5, rows=rows) for rows in (ROWS, None))
    part_s = pieces_1080p(step, 3600.0).each_s
    assert bound <= math.ceil(ROWS / 5) * part_s < unbound / 10
    assert waited_beside(step, ROWS + 10, rows=ROWS) == 0.0


# -- the calculator ------------------------------------------------------------------------------


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """One unit of work a message, round prices, no assumptions that add anything."""
    steps = {
        step: {"cpu_s": {"fixed": 1.0, "per_media_s": 0.0}, "document_reads": {"fixed": 2.0}}
        for step in upload_steps(video=False)
    }
    measured = {"when": "now", "steps": steps, "upload_bytes": {"per_media_s": 1000.0}}
    zero = {name: {"value": 0.0} for name in rates()["assumed"]}
    assumed = {
        **zero,
        **{
            name: {"value": 1.0}
            for name in ("peak_factor", "filled_share", "audio_bytes_share", "limit_media_s")
        },
        "engine_s_per_media_s": {"steps": {}},
    }
    monkeypatch.setattr(tables, "rates", lambda: {"measured": measured, "assumed": assumed})
    monkeypatch.setattr(
        "infra.capacity.calculator.rates", lambda: {"measured": measured, "assumed": assumed}
    )


@pytest.mark.usefixtures("plain")
def test_a_day_is_the_sum_of_its_recordings() -> None:
    found = estimate(Load(audio_hours=10, video_hours=0, recording_s=360, kept_days=100))
    steps = upload_steps(video=False)
    transform = [step for step in steps if step.startswith("transform.")]
    use = found.functions["transform"]
    assert use.messages == 100 * len(transform)
    assert use.busy_s == pytest.approx(100 * len(transform))
    assert use.instances_peak == 1
    swept = 100 * 3 * 4
    assert found.operations["document_reads"] == 100 * len(steps) * 2 + swept
    assert found.stored_gb == pytest.approx(100 * 100 * 360 * 1000 / 1e9)


@pytest.mark.usefixtures("plain")
def test_what_is_paid_for_a_function_is_its_cpu_and_memory_while_busy() -> None:
    found = estimate(Load(10, 0, 360)).functions
    for name, plan, a_request in (("transform", "always", 0.0), ("probe", "on_request", 4e-7)):
        use, size, price = found[name], size_of(name), tables.prices()
        per_s = size.cpu * price["cpu_s"][plan] + size.memory_gib * price["gib_s"][plan]
        assert use.dollars == pytest.approx(use.busy_s * per_s + use.messages * a_request)


def test_twice_the_media_takes_and_costs_twice_as_much() -> None:
    one, two = estimate(Load(50, 20)), estimate(Load(100, 40))
    for name, use in one.functions.items():
        assert two.functions[name].busy_s == pytest.approx(2 * use.busy_s)
    assert two.dollars_per_media_hour == pytest.approx(one.dollars_per_media_hour)


def test_a_day_without_media_is_refused() -> None:
    with pytest.raises(ValueError, match="without media"):
        estimate(Load(0, 0))


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_line_is_never_negative(short: float, long: float) -> None:
    found = Rate(**line(short, long, 20.0, 60.0))
    assert found.fixed >= 0 and found.per_media_s >= 0
    if 0 < short < long <= 3 * short:
        assert found.of(20.0) == pytest.approx(short, rel=1e-2)
        assert found.of(60.0) == pytest.approx(long, rel=1e-2)


# -- the data ------------------------------------------------------------------------------------


def test_what_was_measured_or_guessed_is_a_step_still() -> None:
    known = {PROBE, *BY_NAME}
    assert set(rates()["measured"]["steps"]) <= known
    assert set(rates()["assumed"]["engine_s_per_media_s"]["steps"]) <= known


def test_a_step_that_nobody_measured_counts_by_its_row_and_is_flagged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stated = {**rates(), "measured": {**rates()["measured"]}}
    steps = dict(stated["measured"]["steps"])
    del steps["detect.hits"]
    stated["measured"]["steps"] = steps
    monkeypatch.setattr(tables, "rates", lambda: stated)
    limit_s = BY_NAME["detect.hits"].timeout_s
    longest_s = tables.assumed("limit_media_s")
    extra_s = tables.assumed("transfer_s")
    assert busy_s("detect.hits", longest_s) == pytest.approx(limit_s + extra_s)
    assert busy_s("detect.hits", longest_s / 10) == pytest.approx(limit_s / 10 + extra_s)
    assert tables.rate("detect.hits", "document_writes").fixed > 0
    shown = CliRunner().invoke(capacity, ["day", "--audio-hours", "10"]).output
    assert "detect *" in shown and "transform *" not in shown
    assert "Not measured, but put in by the pipeline table: detect.hits" in " ".join(shown.split())


def test_every_assumption_says_why_and_prices_say_of_when() -> None:
    for name, row in rates()["assumed"].items():
        assert name == "note" or row["why"]
    assert tables.prices()["as_of"] and "before use" in tables.prices()["note"]


def test_sizes_are_those_that_terraform_reads() -> None:
    text = (tables.SIZES.parent / "main.tf").read_text()
    assert 'file("${path.module}/sizes.json")' in text
    assert set(json.loads(tables.SIZES.read_text())["functions"]) >= {"probe", "detect", "sweep"}


# -- the command ---------------------------------------------------------------------------------


@pytest.mark.heavy
def test_the_command_shows_a_day_and_draws_a_burst(tmp_path: Path) -> None:
    day = CliRunner().invoke(capacity, ["day", "--audio-hours", "10", "--video-hours", "5"])
    assert day.exit_code == 0, day.output
    assert "an hour of media" in day.output and "check them" in day.output
    picture = tmp_path / "burst.png"
    burst = CliRunner().invoke(capacity, ["burst", "--uploads", "200", "--picture", str(picture)])
    assert burst.exit_code == 0, burst.output
    assert "p95" in burst.output
    assert picture.read_bytes().startswith(b"\x89PNG")
