"""What once was thought of, or was found, comes in again: every entrance takes it, and so what is like it by chance."""

import logging
import time
from pathlib import Path

import pytest
from entrances import ENTRANCES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path.relative_to(CORPUS) for path in CORPUS.glob("*/*"))
SEEDS = {name: [path.read_bytes() for path in sorted(CORPUS.joinpath(name).iterdir())] for name in ENTRANCES}
LOT = 64 * 1024  # bytes
MOST_SECONDS = 6  # of CPU; what grows with the square of a length takes minutes


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_in_the_corpus_is_taken(case):
    ENTRANCES[case.parts[0]](CORPUS.joinpath(case).read_bytes())


def test_each_entrance_has_its_corpus():
    assert {case.parts[0] for case in CASES} == set(ENTRANCES)


@pytest.mark.parametrize("name", ENTRANCES)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_like_it_is_taken_too(name, data):
    one, other = (data.draw(st.sampled_from(SEEDS[name])) for _ in range(2))
    begin, end = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    logging.getLogger("vault_plugin_sdk").setLevel(logging.CRITICAL)
    ENTRANCES[name](one[:begin] + data.draw(st.binary(max_size=8) | st.text(max_size=4).map(str.encode)) + other[end:])


@pytest.mark.parametrize("name", sorted(set(ENTRANCES) - {"soap", "query"}))  # the simulator's own are nobody's way in
@pytest.mark.parametrize("motif", [b"a", b"\0", b"[", b'"', b"(", b"<", b"\\", b"=", b"a ", b"\n"])
def test_a_lot_of_one_thing_takes_no_time(name, motif):
    begun = time.thread_time()
    for seed in SEEDS[name][:2]:
        ENTRANCES[name](seed[: len(seed) // 2] + motif * (LOT // len(motif)) + seed[len(seed) // 2 :])
    assert time.thread_time() - begun < MOST_SECONDS
