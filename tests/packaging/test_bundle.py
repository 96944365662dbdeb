"""The archive takes other people's wheels only as the lock names them."""

import re

import bundle
import pytest


def test_a_wheel_that_the_lock_does_not_name_is_refused_by_name(tmp_path):
    wheel = tmp_path / "urllib3-2.8.0-py3-none-any.whl"
    wheel.write_bytes(b"not what the lock names")
    with pytest.raises(SystemExit, match=re.escape(f"setup.txt names: {wheel.name}")):
        bundle._compare([wheel])
