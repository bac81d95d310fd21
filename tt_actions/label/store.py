"""The marks on disk: a manifest of the accepted ones, and a log from which everything is recovered."""

import hashlib
from functools import reduce
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock

from tt_actions.clips.manifest import format_manifest
from tt_actions.errors import UserError
from tt_actions.files import explain_failure, lock_folder, write_atomically
from tt_actions.label.book import Book, apply_event
from tt_actions.label.journal import Event, Journal

_FORMAT = 1
_ADVICE = "or choose another `--out`"


class Store:
    """The marks of several videos on disk; every change is there before :meth:`push` returns.

    The manifest lists the accepted marks; see :func:`tt_actions.clips.manifest.read_manifest`. The log
    beside it, ``<manifest>.log``, holds every change. One process at a time works with them.

    Args:
        path: The manifest. It may be missing, but its folder must exist.

    Attributes:
        book: The marks.

    Raises:
        UserError: If another process uses the files, there is no place for them, the log is damaged, or the
            manifest was not written by this program or was changed since.
        OSError: If the folder can't be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _lock(path)
        try:
            self._journal = Journal(_log_of(path))
            try:
                self._open()
            except BaseException:
                self._journal.close()
                raise
        except BaseException:
            self._lock.lock.release()
            raise

    def _open(self) -> None:
        events = self._journal.events
        if events and events[0].get("format") != _FORMAT:
            raise UserError(
                f"Expected '{self._journal.path}' to have format {_FORMAT}, but got "
                f"{events[0].get('format')}. Use the version of tt-actions that wrote it."
            )
        try:
            self.book = reduce(self._apply, events[1:], Book())
            self._content()  # a damaged name or region shows in the rows
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            raise UserError(
                f"Expected '{self._journal.path}' as it was written, but got: {error}. Restore the file "
                "from a backup, or move it and its manifest away to begin anew."
            ) from error
        self._digest = self._check_manifest({event.get("manifest") for event in events})
        if not events:
            self._journal.append({"format": _FORMAT})
        self._write_manifest()

    def _apply(self, book: Book, event: Event) -> Book:
        return apply_event(book, event, self.path.parent)

    def _content(self) -> bytes:
        return format_manifest(self.path.parent, self.book.records())

    def _check_manifest(self, written: set[str | None]) -> str | None:
        """Return the digest of the manifest if this program wrote it; None if there is no manifest."""
        if not self.path.exists():
            return None
        found = _digest(self.path.read_bytes())
        if found not in {*written, _digest(self._content())}:
            reason = "it was changed since" if self._journal.events else "there is no such log"
            raise UserError(
                f"Expected '{self.path}' as it was written together with '{self._journal.path.name}', but "
                f"{reason}. Move it away, or choose another file for the marks."
            )
        return found

    def _find_digest(self) -> str | None:
        return _digest(self.path.read_bytes()) if self.path.exists() else None

    def push(self, event: Event) -> None:
        """Apply an event and save it.

        Args:
            event: The event: see :mod:`tt_actions.label.book`.

        Raises:
            UserError: If it can't be applied or saved; the marks then are as before. If only the manifest
                can't be written, the event is saved, and the manifest is written later.
        """
        new = self._apply(self.book, event)
        self._journal.append({**event, "manifest": self._digest})
        self.book = new
        self._write_manifest()

    def _write_manifest(self) -> None:
        content = self._content()
        digest = _digest(content)
        if digest == self._digest:
            return
        known = (None, self._digest, digest)
        if self._digest is not None and self._find_digest() not in known:
            raise UserError(
                f"Expected '{self.path}' as it was written, but it was changed since. Move it away; the "
                "marks are saved in its log, and the next change writes it."
            )
        try:
            with write_atomically(
                self.path, "and go on: the marks are saved in its log, and the next change writes it"
            ) as file:
                file.write_bytes(content)
        except OSError as error:
            raise UserError(str(error)) from error
        self._digest = digest

    def close(self) -> None:
        """Write what is missing in the manifest, and let other processes use the files.

        Raises:
            UserError: If the manifest can't be written.
        """
        try:
            self._write_manifest()
        finally:
            self._journal.close()
            self._lock.lock.release()


def check_place(path: Path) -> Book:
    """Return the marks of a file, or raise an error if marks can't be written there; nothing is created.

    Args:
        path: The manifest.

    Raises:
        UserError: If it is no file, its folder does not exist, another process uses it, another program has
            written it, or its log is damaged.
        OSError: If the folder can't be written to.
    """
    with explain_failure(path, _ADVICE):
        _check_kind(path)
        if path.exists() and not _log_of(path).exists():
            raise UserError(
                f"Expected '{path}' to be a new file, or one that was written together with "
                f"'{_log_of(path).name}', but there is no such log. Move it away, {_ADVICE}."
            )
        if not _log_of(path).exists():
            _lock(path).lock.release()
            return Book()
    store = Store(path)
    store.close()
    return store.book


def _lock(path: Path) -> AcquireReturnProxy[FileLock]:
    with explain_failure(path, _ADVICE):
        _check_kind(path)
        in_use = f"Expected to be the only process that marks strokes in '{path}', but another one does."
        return lock_folder(path, in_use, beside=True)


def _check_kind(path: Path) -> None:
    if not path.name or (path.exists() and not path.is_file()):
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise UserError(
            f"Expected a file for the marks, but '{path}' is {kind}. Choose another `--out`, such as "
            "marks.csv."
        )
    if not path.parent.is_dir():
        found = "is a file" if path.parent.exists() else "does not exist"
        raise UserError(
            f"Expected a folder for the marks, but '{path.parent}' {found}. Create the folder, {_ADVICE}."
        )


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.log")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
