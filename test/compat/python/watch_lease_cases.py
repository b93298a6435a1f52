"""Watches, leases and locks through aetcd, on Python's grpc.aio."""

import asyncio

import aetcd
from kv_cases import expect

LONG_TTL = 600
WAIT_SECONDS = 10


async def take(watch, count):
    """The next events of a watch as text."""
    shown = []

    async def read():
        async for event in watch:
            key = event.kv.key.decode()
            shown.append(f"-{key}" if event.kind == "DELETE" else f"{key}={event.kv.value.decode()}")
            if len(shown) == count:
                return

    await asyncio.wait_for(read(), WAIT_SECONDS)
    return shown


async def case_watch_of_a_key(cluster):
    watch = await cluster.client.watch(b"pywatch/a")
    await cluster.next_client.put(b"pywatch/a", b"1")
    await cluster.next_client.put(b"pywatch/b", b"not this one")
    await cluster.next_client.delete(b"pywatch/a")
    expect(await take(watch, 2), ["pywatch/a=1", "-pywatch/a"])
    await watch.cancel()


async def case_watch_of_a_prefix_from_an_old_revision(cluster):
    first = await cluster.client.put(b"pyold/a", b"1")
    await cluster.client.put(b"pyold/a", b"2")
    await cluster.client.put(b"pyold/b", b"3")
    watch = await cluster.client.watch_prefix(b"pyold/", start_revision=first.header.revision + 1)
    expect(await take(watch, 2), ["pyold/a=2", "pyold/b=3"])
    await cluster.client.delete_prefix(b"pyold/")
    expect(await take(watch, 2), ["-pyold/a", "-pyold/b"])
    await watch.cancel()


async def case_watch_of_deletes_with_the_pair_before(cluster):
    watch = await cluster.client.watch(b"pydel/a", kind=aetcd.EventKind.DELETE, prev_kv=True)
    await cluster.client.put(b"pydel/a", b"1")
    await cluster.client.delete(b"pydel/a")

    async def first():
        async for event in watch:
            return event

    event = await asyncio.wait_for(first(), WAIT_SECONDS)
    expect(event.kind, "DELETE")
    expect(event.prev_kv.value, b"1")
    await watch.cancel()


async def case_watch_from_a_compacted_revision_raises(cluster):
    first = await cluster.client.put(b"pycompact/a", b"1")
    second = await cluster.client.put(b"pycompact/a", b"2")
    await cluster.client.compact(second.header.revision)
    watch = await cluster.client.watch(b"pycompact/a", start_revision=first.header.revision)
    try:
        await take(watch, 1)
    except aetcd.RevisionCompactedError as error:
        expect(error.compacted_revision, second.header.revision)
    else:
        raise AssertionError("the watch was not cancelled")


async def case_watch_once_gives_up_in_time(cluster):
    try:
        await cluster.client.watch_once(b"pyonce/a", timeout=0.2)
    except aetcd.WatchTimeoutError:
        return
    raise AssertionError("there was an event")


async def case_lease_holds_its_keys(cluster):
    lease = await cluster.client.lease(LONG_TTL)
    await cluster.client.put(b"pylease/a", b"1", lease=lease)
    await cluster.client.put(b"pylease/b", b"2", lease=lease)
    expect(await lease.granted_ttl(), LONG_TTL)
    expect(sorted(await lease.keys()), [b"pylease/a", b"pylease/b"])
    expect(LONG_TTL - 60 < await lease.remaining_ttl() <= LONG_TTL, True)
    expect((await lease.refresh()).TTL, LONG_TTL)
    await lease.revoke()
    expect(await cluster.next_client.get(b"pylease/a"), None)
    expect(await lease.remaining_ttl(), -1)


async def case_lease_that_nobody_keeps_ends(cluster):
    watch = await cluster.next_client.watch(b"pyend/a", kind=aetcd.EventKind.DELETE)
    lease = await cluster.client.lease(2)
    await cluster.client.put(b"pyend/a", b"1", lease=lease)
    expect(await take(watch, 1), ["-pyend/a"])
    await watch.cancel()


async def case_lock_is_held_by_one(cluster):
    first, second = cluster.client.lock(b"pylock", ttl=60), cluster.next_client.lock(b"pylock", ttl=60)
    expect(await first.acquire(), True)
    expect(await second.acquire(timeout=0), False)
    waiting = asyncio.create_task(second.acquire())
    expect(await first.release(), True)
    expect(await waiting, True)
    expect(await first.is_acquired(), False)
    expect(await second.is_acquired(), True)
    expect(await second.release(), True)
