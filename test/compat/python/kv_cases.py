"""Keys and transactions through aetcd, on Python's grpc.aio."""

import asyncio

import aetcd
import grpc
from aetcd import rpc


def expect(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


async def refusal(call):
    """The error of a call that the library raises as its own kind."""
    try:
        await call
    except (aetcd.ClientError, grpc.aio.AioRpcError) as error:
        return error
    raise AssertionError("the call was not refused")


async def case_put_and_get(cluster):
    key, value = b"py/put/\x00\xff", bytes(range(256))
    written = await cluster.client.put(key, value)
    read = await cluster.next_client.get(key)
    expect(read.value, value)
    expect(read.version, 1)
    expect(read.create_revision, written.header.revision)
    expect(read.mod_revision, written.header.revision)
    expect(read.header.cluster_id, written.header.cluster_id)
    expect(await cluster.client.get(b"py/put/none"), None)


async def case_put_tells_the_previous_pair(cluster):
    await cluster.client.put(b"py/prev", b"1")
    answer = await cluster.client.put(b"py/prev", b"2", prev_kv=True)
    expect(answer.prev_kv.value, b"1")
    expect(answer.prev_kv.version, 1)


async def case_get_prefix_sorted(cluster):
    for key, value in ((b"b", b"2"), (b"a", b"3"), (b"c", b"1")):
        await cluster.client.put(b"py/sort/" + key, value)

    async def keys(order, target):
        answer = await cluster.client.get_prefix(b"py/sort/", sort_order=order, sort_target=target)
        return [pair.key[-1:] for pair in answer]

    expect(await keys("ascend", "key"), [b"a", b"b", b"c"])
    expect(await keys("descend", "key"), [b"c", b"b", b"a"])
    expect(await keys("ascend", "value"), [b"c", b"b", b"a"])
    expect(await keys("ascend", "mod"), [b"b", b"a", b"c"])
    expect(await keys("descend", "create"), [b"c", b"a", b"b"])


async def case_get_keys_only_and_range(cluster):
    for key in (b"a", b"b", b"c"):
        await cluster.client.put(b"py/range/" + key, b"value")
    keys_only = await cluster.client.get_prefix(b"py/range/", keys_only=True)
    expect([(pair.key[-1:], pair.value) for pair in keys_only], [(b"a", b""), (b"b", b""), (b"c", b"")])
    part = await cluster.client.get_range(b"py/range/a", b"py/range/c")
    expect([pair.key[-1:] for pair in part], [b"a", b"b"])
    expect(part.count, 2)
    everything = await cluster.client.get_all(keys_only=True)
    assert everything.count >= 3, everything.count


async def case_get_with_raw_options(cluster):
    client = cluster.client
    first = await client.put(b"py/raw/a", b"1")
    await client.put(b"py/raw/b", b"1")
    await client.put(b"py/raw/a", b"2")
    span = {"key": b"py/raw/", "range_end": b"py/raw0"}
    limited = await client.kvstub.Range(rpc.RangeRequest(**span, limit=1))
    expect((len(limited.kvs), limited.count, limited.more), (1, 2, True))
    old = await client.kvstub.Range(rpc.RangeRequest(**span, revision=first.header.revision))
    expect([(pair.key, pair.value) for pair in old.kvs], [(b"py/raw/a", b"1")])
    counted = await client.kvstub.Range(rpc.RangeRequest(**span, count_only=True))
    expect((len(counted.kvs), counted.count), (0, 2))
    created = await client.kvstub.Range(rpc.RangeRequest(**span, min_create_revision=first.header.revision + 1))
    expect(([pair.key for pair in created.kvs], created.count), ([b"py/raw/b"], 2))


async def case_delete(cluster):
    for key in (b"a", b"b", b"c"):
        await cluster.client.put(b"py/delete/" + key, key)
    expect(await cluster.client.delete(b"py/delete/none"), None)
    deleted = await cluster.client.delete(b"py/delete/a", prev_kv=True)
    expect(deleted.prev_kv.value, b"a")
    rest = await cluster.next_client.delete_prefix(b"py/delete/")
    expect(rest.deleted, 2)
    expect(len(await cluster.client.get_prefix(b"py/delete/")), 0)


async def case_transaction(cluster):
    client = cluster.client
    compare = [client.transactions.create(b"py/txn/a") == 0]
    success = [client.transactions.put(b"py/txn/a", b"mine"), client.transactions.get(b"py/txn/a")]
    failure = [client.transactions.get(b"py/txn/a")]
    succeeded, answers = await client.transaction(compare=compare, success=success, failure=failure)
    expect(succeeded, True)
    expect(answers[1][0][0], b"mine")
    succeeded, answers = await client.transaction(compare=compare, success=success, failure=failure)
    expect(succeeded, False)
    expect(answers[0][0][0], b"mine")


async def case_transaction_compares(cluster):
    client = cluster.client
    written = await client.put(b"py/cmp", b"m")
    of = client.transactions
    revision = written.header.revision
    checks = (
        (of.value(b"py/cmp") == b"m", True),
        (of.value(b"py/cmp") > b"l", True),
        (of.value(b"py/cmp") < b"m", False),
        (of.value(b"py/none") != b"m", False),
        (of.version(b"py/cmp") == 1, True),
        (of.mod(b"py/cmp") == revision, True),
        (of.create(b"py/cmp") > revision, False),
    )
    for compare, want in checks:
        succeeded, _ = await client.transaction(compare=[compare], success=[of.get(b"py/cmp")], failure=[of.get(b"x")])
        expect((repr(compare), succeeded), (repr(compare), want))


async def case_replace_counts_without_loss(cluster):
    await cluster.client.put(b"py/counter", b"0")

    async def add(client):
        while True:
            value = (await client.get(b"py/counter")).value
            if await client.replace(b"py/counter", value, str(int(value) + 1).encode()):
                return

    for _ in range(5):
        await asyncio.gather(*(add(client) for client in cluster.clients), add(cluster.client))
    expect((await cluster.client.get(b"py/counter")).value, str(5 * (len(cluster.clients) + 1)).encode())


async def case_errors(cluster):
    stub = cluster.client.kvstub
    empty = await refusal(stub.Put(rpc.PutRequest(value=b"v")))
    expect((empty.code(), empty.details()), (grpc.StatusCode.INVALID_ARGUMENT, "etcdserver: key is not provided"))
    lease = await refusal(stub.Put(rpc.PutRequest(key=b"k", lease=77)))
    expect((lease.code(), lease.details()), (grpc.StatusCode.NOT_FOUND, "etcdserver: requested lease not found"))
    future = await refusal(stub.Range(rpc.RangeRequest(key=b"k", revision=1 << 40)))
    expect(
        (future.code(), future.details()),
        (grpc.StatusCode.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision"),
    )
    library = await refusal(cluster.client.put(b"", b"v"))
    expect(type(library), aetcd.InvalidArgumentError)


async def case_compact(cluster):
    first = await cluster.client.put(b"py/compact", b"1")
    second = await cluster.client.put(b"py/compact", b"2")
    await cluster.client.compact(second.header.revision, physical=True)
    request = rpc.RangeRequest(key=b"py/compact", revision=first.header.revision)
    refused = await refusal(cluster.client.kvstub.Range(request))
    expect(refused.details(), "etcdserver: mvcc: required revision has been compacted")


async def case_many_calls_at_once(cluster):
    async def write_and_read(at):
        key = f"py/many/{at}".encode()
        await cluster.clients[at % len(cluster.clients)].put(key, key * 100)
        return (await cluster.clients[(at + 1) % len(cluster.clients)].get(key)).value == key * 100

    expect(all(await asyncio.gather(*(write_and_read(at) for at in range(100)))), True)


async def case_status_and_members(cluster):
    status = await cluster.client.status()
    assert status.leader is not None and status.db_size > 0, status
    members = [member async for member in cluster.client.members()]
    expect(len(members), len(cluster.clients))
    expect(sorted(member.name for member in members), [f"m{at + 1}" for at in range(len(members))])
