"""Reading in several threads: bounded ahead of whoever reads, in order, and ended with whoever stops reading."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event


def _one(_: object) -> int:
    return 1


def in_order[A, B](
    ask: Callable[[A], B],
    things: Iterable[A],
    *,
    threads: int,
    ahead: int,
    weight: Callable[[A], int] = _one,
) -> Iterator[B]:
    """Yield ``ask(thing)`` for each thing, in order, asked on up to ``threads`` threads.

    No more than ``ahead`` is under way or waiting to be read at once, each thing counting its ``weight``; one that
    weighs more goes alone. ``things`` are taken in the reader's thread. The first error ends it.
    """
    waiting: deque[tuple[Future[B], int]] = deque()
    load = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="reader") as pool:
        try:
            for thing in things:
                weighs = weight(thing)
                while waiting and (load + weighs > ahead or waiting[0][0].done()):
                    first, its = waiting.popleft()
                    load -= its
                    yield first.result()
                waiting.append((pool.submit(ask, thing), weighs))
                load += weighs
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            for future, _ in waiting:
                future.cancel()


def as_they_come[B](sources: Sequence[Callable[[], Iterable[B]]], *, threads: int) -> Iterator[B]:
    """Yield what several sources have, each read in a thread, in any order.

    Nothing holds a source back: it is for those that yield little of much, as the sum of a page. The first error
    ends it.
    """
    found: SimpleQueue[tuple[B] | BaseException | None] = SimpleQueue()
    over = Event()

    def read(source: Callable[[], Iterable[B]]) -> None:
        try:
            for each in source():
                if over.is_set():
                    break
                found.put((each,))
            found.put(None)
        except BaseException as error:  # noqa: BLE001  # raised where it is read
            found.put(error)

    with ThreadPoolExecutor(threads, thread_name_prefix="reader") as pool:
        try:
            for source in sources:
                pool.submit(read, source)
            left = len(sources)
            while left:
                match found.get():
                    case None:
                        left -= 1
                    case (each,):
                        yield each
                    case BaseException() as error:
                        raise error
        finally:
            over.set()
            pool.shutdown(wait=False, cancel_futures=True)
