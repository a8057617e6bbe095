"""Files that are written: whole or not at all, packed by their names, and never in place of something else."""

from __future__ import annotations

import gzip
import os
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.files.outputs import atomic_text, check_folder, check_output, replace_folder, unpacked_name


def write(path: Path | str, text: str = "new\n") -> None:
    with atomic_text(path) as out:
        out.write(text)


def refused(path: Path | str) -> str:
    with pytest.raises(UserError) as caught:
        write(path)
    return str(caught.value)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link, dangling = tmp_path / "there" / "x", tmp_path / "link", tmp_path / "dangling"
    target.write_text("old\n")
    target.chmod(0o600)
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "there" / "y")
    write(link)
    write(dangling)
    assert link.is_symlink() and dangling.is_symlink()
    assert target.read_text() == (tmp_path / "there" / "y").read_text() == "new\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600  # what nobody else could read stays so
    assert sorted(os.listdir(tmp_path / "there")) == ["x", "y"]


def test_a_circle_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "cannot be written" in refused(tmp_path / "a")
    assert (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_pipe_is_written_straight_through(tmp_path: Path, ending: str) -> None:
    pipe = tmp_path / f"pipe{ending}"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write(pipe, "字\n")
    reader.join(10)
    assert got and (gzip.decompress(got[0]) if ending else got[0]) == "字\n".encode()
    assert stat.S_ISFIFO(pipe.stat().st_mode) and os.listdir(tmp_path) == [pipe.name]


@pytest.mark.parametrize("name", ["x", "x.gz", "x.zip"])
def test_a_device_stays_and_its_failure_is_told(tmp_path: Path, name: str) -> None:
    device = tmp_path / name
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 7))  # as /dev/full
        device.open("wb").close()
    except (PermissionError, OSError):
        pytest.skip("no devices can be made here")
    assert "could not be written (No space left on device)" in refused(device)
    assert stat.S_ISCHR(device.stat().st_mode) and os.listdir(tmp_path) == [name]


def test_a_descriptor_of_ours_is_written_straight_through(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as log:
        log.write("before\n")
        log.flush()
        write(f"/dev/fd/{log.fileno()}")
    assert (tmp_path / "log").read_text() == "before\nnew\n"


@pytest.mark.parametrize(
    ("name", "inner"),
    [("x.zip", "x.json"), ("x.tsv.zip", "x.tsv"), ("x.json.gz", "x.json"), ("x.ZIP", "x.json"), ("x.json", "x.json")],
)
def test_packed_as_the_name_says(tmp_path: Path, name: str, inner: str) -> None:
    path = tmp_path / name
    assert Path(unpacked_name(path)).name == inner
    write(path, "字\n" * 5)
    assert [line for _, _, line in read_lines(path)] == ["字"] * 5
    if name.lower().endswith(".zip"):
        assert zipfile.ZipFile(path).namelist() == [inner]
    before = path.read_bytes()
    write(path, "字\n" * 5)
    assert path.read_bytes() == before
    with pytest.raises(RuntimeError), atomic_text(path) as out:
        out.write("half")
        raise RuntimeError
    assert path.read_bytes() == before and os.listdir(tmp_path) == [name]


def test_what_is_not_made_is_told(tmp_path: Path) -> None:
    for name in ("x.7z", "x.tar.gz", "x.tgz", "x.json.bz2", "x.xz"):
        assert "ends like an archive" in refused(tmp_path / name)
    assert "there is no folder" in refused(tmp_path / "no" / "x")
    assert "is a folder" in refused(tmp_path)
    assert "name too long" in refused(tmp_path / ("x" * 300))
    assert "Not a directory" in refused("/dev/null/x")
    assert not os.listdir(tmp_path)
    long = tmp_path / ("字" * 83 + ".json")  # 254 bytes: its temporary file may not be longer
    write(long)
    assert os.listdir(tmp_path) == [long.name]


def test_what_a_killed_process_left_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    others = {".y.abcdefgh.part", ".x.json.part", ".x.json.abc.part", ".x.json.a.abcdefgh.part"}
    for name in (".x.json.abcdefgh.part", ".x.json.a_b_c_12.part", *others):
        (tmp_path / name).write_text("left")
    with atomic_text(tmp_path / "x.json") as slow:
        assert len(os.listdir(tmp_path)) == len(others) + 1
        slow.write("slow")
        write(tmp_path / "x.json", "quick")
        assert (tmp_path / "x.json").read_text() == "quick"
    assert (tmp_path / "x.json").read_text() == "slow"
    assert set(os.listdir(tmp_path)) == {"x.json", *others}


def _same(path: Path) -> Path | str:
    return path


def _roundabout(path: Path) -> Path | str:
    return f"{path.parent}/./../{path.parent.name}/{path.name}"


def _link(path: Path) -> Path | str:
    link = path.with_name("link")
    link.symlink_to(path.name)
    return link


def _hard_link(path: Path) -> Path | str:
    os.link(path, path.with_name("hard"))
    return path.with_name("hard")


WAYS = [_same, _roundabout, _link, _hard_link]
"""Of naming one file once more."""


@pytest.mark.parametrize("way", WAYS)
def test_an_input_is_no_output(tmp_path: Path, way: Callable[[Path], Path | str]) -> None:
    path = tmp_path / "in.json"
    path.write_text("gold")
    check_output(path, [None, tmp_path, tmp_path / "none"])
    with pytest.raises(UserError, match="read"):
        check_output(way(path), [tmp_path / "none", path])


def test_devices_may_be_read_and_written() -> None:
    check_output("/dev/null", ["/dev/null"])


def test_standard_streams_that_lead_to_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_text("gold")
    with path.open("a") as out, path.open() as into:
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stdin", into)
        for output, source in (("-", path), (path, "-"), ("-", "-")):
            with pytest.raises(UserError, match="read"):
                check_output(output, [source])
        check_output(tmp_path / "y", ["-"])


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    made, place = tmp_path / ".made", tmp_path / "place"
    for _ in range(2):
        made.mkdir()
        (made / "new").touch()
        replace_folder(made, place)
        assert os.listdir(place) == ["new"] and os.listdir(tmp_path) == ["place"]
    with pytest.raises(OSError):
        replace_folder(made, place)
    assert os.listdir(place) == ["new"] and os.listdir(tmp_path) == ["place"]


def test_a_folder_to_be_replaced_holds_no_input(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    inside = tmp_path / "out" / "rejects.jsonl"
    check_folder(tmp_path / "out", [tmp_path / "output.json"])
    for folder in (tmp_path / "out", tmp_path / "link", tmp_path):
        with pytest.raises(UserError, match="holds a file that is read"):
            check_folder(folder, [inside])
