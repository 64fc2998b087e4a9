#include "snapshot/chunk_store.hpp"

#include "postgres/exec/snapshot_scope.hpp"
#include "postgres/lock/advisory_lock.hpp"

namespace snapback {

namespace {

constexpr std::size_t batch_size = 4 * 1024 * 1024;

/// Read the current chunks of these communities. The snapshot of a REPEATABLE READ transaction may still contain chunks
/// that were deleted before it got the store lock.
ChunkPacker::Known known_chunks(std::span<const std::string> communities) {
    ChunkPacker::Known known(communities.size());
    Query query;
    SnapshotScope now(SnapshotScope::Of::latest);
    Value keys = Value::text_array(communities);
    query.stream("SELECT l.n::int, c.sha256 FROM pg_catalog.unnest($1) WITH ORDINALITY AS l(community, n)"
                 " JOIN snapback.chunk c ON c.community = l.community",
                 std::span<const Value>(&keys, 1), [&](TupleTableSlot *slot) {
                     call([&] { slot_getallattrs(slot); });
                     known[static_cast<std::size_t>(DatumGetInt32(slot->tts_values[0])) - 1].insert(
                         Digest::from_bytes(string_from_varlena(slot->tts_values[1])));
                 });
    return known;
}

} // namespace

void hold_store() {
    take_own_lock(LockSpace::store, 0, ShareLock, true);
}

bool take_store(bool wait) {
    if (call([] { return IsolationUsesXactSnapshot(); }))
        throw Error(sqlstate::active_transaction, "snapshots cannot be deleted or changed above READ COMMITTED")
            .with_detail("A snapshot that was taken meanwhile would not be seen.")
            .with_hint("Begin the transaction with ISOLATION LEVEL READ COMMITTED.");
    return take_own_lock(LockSpace::store, 0, ExclusiveLock, wait);
}

ChunkWriter::ChunkWriter(std::span<const std::string> communities, OnStored on_stored)
    : ChunkWriter(communities, std::move(on_stored), known_chunks(communities)) {}

void ChunkWriter::put(std::uint32_t community, std::uint32_t table, std::string &&content) {
    packer_.put(community, table, std::move(content));
    while (std::optional<PackedChunk> chunk = packer_.take())
        take(std::move(*chunk));
}

void ChunkWriter::flush() {
    while (std::optional<PackedChunk> chunk = packer_.wait())
        take(std::move(*chunk));
    write_batch();
}

/// Report the digest of a chunk and add its frame to the batch.
void ChunkWriter::take(PackedChunk &&chunk) {
    on_stored_(chunk.community, chunk.table, chunk.digest);
    if (chunk.frame.empty())
        return;
    batch_communities_.push_back(communities_[chunk.community]);
    batch_digests_.emplace_back(chunk.digest.view());
    batch_bytes_ += chunk.frame.size();
    batch_frames_.push_back(std::move(chunk.frame));
    if (batch_bytes_ >= batch_size)
        write_batch();
}

void ChunkWriter::write_batch() {
    if (batch_frames_.empty())
        return;
    Query query;
    // A concurrent session may store the same chunk. Both have the same content.
    if (batch_frames_.size() == 1)
        query.run_kept(
            "INSERT INTO snapback.chunk (community, sha256, data) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            {Value::text(batch_communities_[0]), Value::bytea(batch_digests_[0]), Value::bytea(batch_frames_[0])});
    else
        query.run("INSERT INTO snapback.chunk (community, sha256, data)"
                  " SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) ON "
                  "CONFLICT DO "
                  "NOTHING",
                  {Value::text_array(batch_communities_), Value::bytea_array(batch_digests_),
                   Value::bytea_array(batch_frames_)});
    batch_communities_.clear();
    batch_digests_.clear();
    batch_frames_.clear();
    batch_bytes_ = 0;
}

std::string ChunkReader::get(const Digest &digest) {
    Query query;
    Rows rows = query.run("SELECT data FROM snapback.chunk WHERE community = $1 AND sha256 = $2",
                          {Value::text(community_), Value::bytea(digest.view())});
    if (rows.empty())
        throw Error(sqlstate::data_corrupted, "chunk " + digest.hex() + " of community " + community_ + " is missing");
    std::string content = compressor_.decompress(rows[0].bytes(1));
    if (sha256(content) != digest)
        throw Error(sqlstate::data_corrupted, "chunk " + digest.hex() + " of community " + community_ + " is damaged")
            .with_detail("The content does not match its SHA-256.");
    return content;
}

} // namespace snapback
