import json
import resource
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.errors import UserError
from tt_actions.label.actions import perform
from tt_actions.label.book import Lesson, change_event, names_event, step_event, video_event
from tt_actions.label.journal import Journal
from tt_actions.label.marks import Mark, Name
from tt_actions.label.sheet import Sheet
from tt_actions.label.store import Store

NUM = 30


def blank(video):
    """A video with proposals of one second each."""
    marks = {n: Mark(n, "anna", n - 1.0, n - 0.5, n - 0.75) for n in range(1, NUM + 1)}
    names = {n: Name("serve", 0.5, 0.25) for n in marks}
    return Sheet(video, 60.0, ("anna",), ((0, 0, 10, 20),), ("serve",), marks, names, NUM + 1)


@pytest.fixture
def begun(tmp_path):
    """A file of marks with one video and three changes, one of them undone."""
    with opened(tmp_path) as store:
        store.push(video_event(blank(tmp_path / "match.mp4"), tmp_path))
        mark(store, 1, "serve")
        mark(store, 2, "lob")
        store.push(step_event(0, "undo"))
    return tmp_path


@contextmanager
def opened(folder):
    store = Store(folder / "marks.csv")
    yield store
    store.close()


def mark(store, number, label):
    store.push(
        change_event(0, perform(store.book.sheets[0], {"kind": "accept", "mark": number, "label": label}))
    )


def accepted(store):
    return {m.id: m.label for m in store.book.sheets[0].marks.values() if m.status == "accepted"}


@contextmanager
def full_disk(size):
    """No file can become larger than this."""
    limit, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)


def test_accepted_marks_are_rows_of_a_manifest_at_once(begun):
    with opened(begun) as store:
        mark(store, 3, "smash")
        rows = read_manifest(begun / "marks.csv")
    expected = {
        "path": begun / "match.mp4",
        "roi": (0, 0, 10, 20),
        "player": "anna",
    }
    assert rows == [
        ClipRecord(label="serve", start_s=0.0, end_s=0.5, contact_s=0.25, **expected),
        ClipRecord(label="smash", start_s=2.0, end_s=2.5, contact_s=2.25, **expected),
    ]


def test_everything_is_there_when_opened_again(begun):
    with opened(begun) as store:
        store.push(names_event({0: {5: Name("lob", 0.75, 0.5)}}, Lesson(4, 0.25)))
        before = store.book
    with opened(begun) as store:
        assert store.book == before
        assert store.book.lessons == (Lesson(4, 0.25),)
        assert store.book.sheets[0].names[5] == Name("lob", 0.75, 0.5)
        store.push(step_event(0, "redo"))
        assert accepted(store) == {1: "serve", 2: "lob"}


def test_the_folder_may_be_moved(begun, tmp_path_factory):
    new = tmp_path_factory.mktemp("elsewhere") / "moved"
    begun.rename(new)
    with opened(new) as store:
        assert store.book.sheets[0].video == new / "match.mp4"
        assert read_manifest(new / "marks.csv")[0].path == new / "match.mp4"
    begun.mkdir()  # pytest removes it


def test_a_log_that_is_cut_off_anywhere_gives_what_was_complete(begun):
    log = begun / "marks.csv.log"
    content = log.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    found = []
    for size in [*range(ends[1], len(content), 7), *ends[1:]]:
        log.write_bytes(content[:size])
        (begun / "marks.csv").unlink(missing_ok=True)
        with opened(begun) as store:
            complete = sum(end <= size for end in ends)
            assert store.book.sheets[0].revision == complete - 2
            found.append(accepted(store))
            mark(store, 7, "smash")
        with opened(begun) as store:
            assert accepted(store)[7] == "smash"
            assert store.book.sheets[0].revision == complete - 1
    assert {tuple(own.values()) for own in found} == {(), ("serve",), ("serve", "lob")}


def test_a_manifest_that_is_behind_the_log_is_written_again(begun):
    old = (begun / "marks.csv").read_bytes()
    with opened(begun) as store:
        mark(store, 4, "lob")
        new = (begun / "marks.csv").read_bytes()
    (begun / "marks.csv").write_bytes(old)  # killed between the log and the manifest
    with opened(begun):
        assert (begun / "marks.csv").read_bytes() == new != old


def test_a_manifest_that_someone_else_wrote_is_not_replaced(begun):
    with (begun / "marks.csv").open("a") as file:
        file.write("mine.mp4,,,,,,,,,,,,\n")
    with pytest.raises(
        UserError, match=r"marks\.csv' as it was written.*, but it was changed since\. Move it"
    ):
        Store(begun / "marks.csv")
    (begun / "marks.csv.log").unlink()
    with pytest.raises(UserError, match="but there is no such log"):
        Store(begun / "marks.csv")
    assert "mine" in (begun / "marks.csv").read_text()


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (2, "garbage", "line 3 is damaged"),
        (2, "[1]", "line 3 is damaged"),
        (2, "[" * 100_000, "line 3 is damaged"),
        (2, '{"kind":"undo","video":7}', "but got: .*Restore"),
        (2, '{"kind":"change"}', "but got: .*Restore"),
        (0, '{"format":99}', "to have format 1, but got 99"),
    ],
)
def test_a_damaged_log_is_refused_and_kept(begun, line, text, message):
    log = begun / "marks.csv.log"
    lines = log.read_text().splitlines()
    lines[line] = text
    log.write_text("\n".join(lines) + "\n")
    before = log.read_bytes()
    with pytest.raises(UserError, match=message):
        Store(begun / "marks.csv")
    assert log.read_bytes() == before


def test_a_log_with_the_name_of_nobody_is_refused(begun):
    log = begun / "marks.csv.log"
    log.write_text(log.read_text().replace('"id":1,"player":"anna"', '"id":1,"player":"anma"'))
    with pytest.raises(UserError, match=r"marks\.csv\.log' as it was written, but got: .*Restore"):
        Store(begun / "marks.csv")


def test_one_process_at_a_time(begun):
    with opened(begun):
        with pytest.raises(
            UserError, match=r"only process that marks strokes in '.*marks\.csv', but another"
        ):
            Store(begun / "marks.csv")
        command = (
            "from pathlib import Path; from tt_actions.label.store import Store; Store(Path('marks.csv'))"
        )
        other = subprocess.run(
            [sys.executable, "-c", command], cwd=begun, capture_output=True, text=True, check=False
        )
        assert "but another one does" in other.stderr
    with opened(begun):  # afterwards it is free
        pass


def test_another_thread_may_close_the_files(begun):
    store = Store(begun / "marks.csv")
    thread = threading.Thread(target=store.close)
    thread.start()
    thread.join()
    with opened(begun):
        pass


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(UserError, match="Expected a folder for the marks"):
        Store(tmp_path / "no" / "marks.csv")


def test_a_full_disk_loses_nothing_and_is_survived(begun):
    with opened(begun) as store:
        size = (begun / "marks.csv.log").stat().st_size
        before = store.book
        with (
            full_disk(size + 40),
            pytest.raises(UserError, match=r"marks\.csv\.log', but got: File too large"),
        ):
            mark(store, 5, "lob")
        assert store.book is before
        content = (begun / "marks.csv.log").read_bytes()
        assert len(content) > size  # a part was written
        mark(store, 6, "lob")
        assert accepted(store) == {1: "serve", 6: "lob"}
    with opened(begun) as store:
        assert accepted(store) == {1: "serve", 6: "lob"}


def test_marks_are_saved_even_if_the_manifest_can_not_be_written(tmp_path):
    far = tmp_path.joinpath(*["a long name " * 15] * 5, "match.mp4")  # each row of the manifest repeats it
    (tmp_path / "near").mkdir()
    with opened(tmp_path / "near") as store:
        store.push(video_event(blank(far), tmp_path / "near"))
        for number in range(1, 16):
            mark(store, number, "serve")
        limit = (tmp_path / "near/marks.csv.log").stat().st_size + 1000
        manifest = (tmp_path / "near/marks.csv").read_bytes()
        assert len(manifest) > limit
        with full_disk(limit), pytest.raises(UserError, match="the marks are saved in its log, and the next"):
            mark(store, 16, "lob")
        assert (tmp_path / "near/marks.csv").read_bytes() == manifest
        assert accepted(store)[16] == "lob"
        mark(store, 17, "lob")
        assert len(read_manifest(tmp_path / "near/marks.csv")) == 17
        with full_disk(limit), pytest.raises(UserError, match="the marks are saved"):
            mark(store, 18, "lob")
    with opened(tmp_path / "near") as store:
        assert len(accepted(store)) == len(read_manifest(tmp_path / "near/marks.csv")) == 18


MARKING = """
import sys
from pathlib import Path
from tt_actions.label.actions import perform
from tt_actions.label.book import change_event, step_event
from tt_actions.label.store import Store

store = Store(Path("marks.csv"))
number = 0
while True:
    number = number % 30 + 1
    word = {"kind": "accept", "mark": number, "label": f"class {number % 3}"}
    change = perform(store.book.sheets[0], word)
    event = change_event(0, change) if change and number % 4 else step_event(0, "undo")
    store.push(event)
    sheet = store.book.sheets[0]
    print(sheet.revision, sum(m.status == "accepted" for m in sheet.marks.values()), flush=True)
"""


@pytest.mark.parametrize("num_lines", [1, 9, 40])
def test_what_was_confirmed_survives_kill_9(begun, num_lines):
    process = subprocess.Popen([sys.executable, "-c", MARKING], cwd=begun, stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(num_lines)]
    process.kill()
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    revision, num_accepted = map(int, [line for line in lines if line.endswith("\n")][-1].split())
    with opened(begun) as store:
        sheet = store.book.sheets[0]
        assert revision <= sheet.revision <= revision + 1  # the last one may not have been confirmed
        if sheet.revision == revision:
            assert len(accepted(store)) == num_accepted
        assert len(read_manifest(begun / "marks.csv")) == len(accepted(store))


def test_a_journal_gives_back_what_was_appended(tmp_path):
    journal = Journal(tmp_path / "log")
    for number in range(3):
        journal.append({"number": number, "text": "ü\ud800\n"})
    journal.close()
    journal = Journal(tmp_path / "log")
    assert journal.events == [{"number": number, "text": "ü\ud800\n"} for number in range(3)]
    journal.close()
    assert [json.loads(line)["number"] for line in (tmp_path / "log").read_text().splitlines()] == [0, 1, 2]


def test_a_journal_that_is_moved_away_takes_nothing(tmp_path):
    journal = Journal(tmp_path / "log")
    journal.append({"number": 0})
    (tmp_path / "log").rename(tmp_path / "away")
    for _ in range(2):  # missing, and replaced
        with pytest.raises(UserError, match=r"log' where it was, but it was moved, removed or replaced"):
            journal.append({"number": 1})
        (tmp_path / "log").touch()
    (tmp_path / "away").replace(tmp_path / "log")
    journal.append({"number": 2})
    journal.close()
    journal = Journal(tmp_path / "log")
    assert [event["number"] for event in journal.events] == [0, 2]
    journal.close()


def test_a_journal_that_can_not_be_opened_is_reported(tmp_path):
    (tmp_path / "log").mkdir()
    with pytest.raises(UserError, match=r"Expected to write '.*log', but got: Is a directory"):
        Journal(Path(tmp_path / "log"))
