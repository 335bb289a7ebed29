"""How much memory is said to be available, on systems that say it in different ways."""

import os

import pytest

from asdex import _memory


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_what_is_available_is_less_than_what_is_installed():
    assert 0 < _memory.available_memory() <= 16 * _memory._installed()


def test_linux_says_what_is_available(tmp_path):
    write(tmp_path, meminfo="MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:   3 kB\n")
    assert list(_memory._free(tmp_path / "meminfo")) == [3072]
    assert list(_memory._free(tmp_path / "absent")) == []


def test_a_group_leaves_its_limit_less_what_is_in_use(tmp_path):
    write(tmp_path, cgroup="0::/outer/inner\n")
    stat = "anon 50\ninactive_file 7\n"
    outer = {"memory__max": "1000\n", "memory__current": "400\n", "memory__stat": stat}
    write(tmp_path / "groups" / "outer", **outer)
    write(tmp_path / "groups" / "outer" / "inner", memory__max="max\n", memory__current="300\n")
    assert list(_memory._left_in_groups(tmp_path / "cgroup", tmp_path / "groups")) == [607]


def test_groups_of_the_first_version(tmp_path):
    write(tmp_path, cgroup="5:cpu,cpuacct:/\n4:memory:/job\n0::/\n")
    job = {"memory__limit_in_bytes": "900\n", "memory__usage_in_bytes": "500\n"}
    write(tmp_path / "groups" / "memory" / "job", memory__stat="total_inactive_file 1\n", **job)
    everyone = {"memory__limit_in_bytes": "5000\n", "memory__usage_in_bytes": "4800\n"}
    write(tmp_path / "groups" / "memory", **everyone)
    assert list(_memory._left_in_groups(tmp_path / "cgroup", tmp_path / "groups")) == [401, 200]


@pytest.mark.parametrize("error", [AttributeError, ValueError, OSError])
def test_other_systems(monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr(_memory, "_free", lambda file: iter(()))
    monkeypatch.setattr(_memory, "_left_in_groups", lambda file, root: iter(()))
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__, raising=False)
    assert _memory.available_memory() == 2_048_000
    monkeypatch.setattr(os, "sysconf", fail, raising=False)
    assert _memory.available_memory() == 4 << 30
