from __future__ import annotations

import asyncio
import shutil
from contextlib import aclosing

import pytest

from dynconnect.live.watch import touched


def below(root):
    return lambda: frozenset(path for path in (root, *root.rglob("*")) if path.is_dir())


class Batches:
    """What a watcher says, one batch after another."""

    def __init__(self, batches):
        self._batches = batches

    async def next(self):
        async with asyncio.timeout(10):
            return await anext(self._batches)

    async def with_(self, path):
        """Wait for a batch that has *path*."""
        while path not in await self.next():
            pass

    async def look(self):
        """Wait for the empty batch that another watcher begins with."""
        while await self.next():
            pass


@pytest.fixture
async def batches(tmp_path):
    async with aclosing(touched(below(tmp_path))) as found:
        batches = Batches(found)
        assert await batches.next() == frozenset(), "once it watches, it asks for a look"
        yield batches


async def test_a_file_that_is_written_is_named(tmp_path, batches):
    (tmp_path / "a.py").write_text("1")
    await batches.with_(tmp_path / "a.py")


async def test_a_file_that_takes_the_place_of_another_is_named(tmp_path, batches):
    (tmp_path / "new").write_text("1")
    (tmp_path / "new").replace(tmp_path / "a.py")
    await batches.with_(tmp_path / "a.py")


async def test_a_file_that_goes_is_named(tmp_path, batches):
    (tmp_path / "a.py").write_text("1")
    await batches.with_(tmp_path / "a.py")
    (tmp_path / "a.py").unlink()
    await batches.with_(tmp_path / "a.py")


async def test_a_folder_that_comes_is_watched_too(tmp_path, batches):
    (tmp_path / "sub").mkdir()
    await batches.look()
    (tmp_path / "sub" / "a.py").write_text("1")
    await batches.with_(tmp_path / "sub" / "a.py")


async def test_a_folder_that_goes_and_comes_again_is_watched_again(tmp_path, batches):
    folder = tmp_path / "sub"
    for _ in range(2):
        folder.mkdir()
        await batches.look()
        (folder / "a.py").write_text("1")
        await batches.with_(folder / "a.py")
        shutil.rmtree(folder)
        await batches.look()


async def test_caches_are_no_news(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    async with aclosing(touched(lambda: frozenset({tmp_path, tmp_path / "__pycache__"}))) as found:
        batches = Batches(found)
        await batches.look()
        (tmp_path / "__pycache__" / "a.pyc").write_text("1")
        (tmp_path / "a.py").write_text("1")
        assert await batches.next() == {tmp_path / "a.py"}


async def test_files_in_folders_that_do_not_count_are_no_news(tmp_path):
    (tmp_path / "other").mkdir()
    async with aclosing(touched(lambda: frozenset({tmp_path}))) as found:
        batches = Batches(found)
        await batches.next()
        (tmp_path / "other" / "b.py").write_text("1")
        (tmp_path / "a.py").write_text("1")
        assert await batches.next() == {tmp_path / "a.py"}


async def test_a_folder_that_vanishes_before_it_is_watched_is_no_fault(tmp_path):
    answers = [frozenset({tmp_path / "gone"}), frozenset({tmp_path})]
    async with aclosing(touched(lambda: answers.pop(0) if len(answers) > 1 else answers[0])) as found:
        assert await Batches(found).next() == frozenset()
