#include "postgres/spill_file.hpp"

#include "postgres/boundary.hpp"

extern "C" {
#include "storage/buffile.h"
}

namespace snapback {

namespace {

constexpr std::uint64_t segment_size = std::uint64_t{1} << 30; // BufFile's own physical segments

class TemporaryFile final : public SpillFile {
public:
    TemporaryFile() : file_(call([] { return create(); })), exceptions_(std::uncaught_exceptions()) {}
    ~TemporaryFile() override {
        // After an error the transaction's end closes and removes the file.
        if (std::uncaught_exceptions() == exceptions_)
            call_noexcept([&] { BufFileClose(file_); });
    }

    void append(std::string_view bytes) override {
        call([&] {
            CHECK_FOR_INTERRUPTS();
            BufFileWrite(file_, const_cast<char *>(bytes.data()), bytes.size());
        });
    }

    void read(std::uint64_t offset, char *into, std::size_t length) override {
        call([&] {
            CHECK_FOR_INTERRUPTS();
            if (BufFileSeek(file_, static_cast<int>(offset / segment_size), static_cast<off_t>(offset % segment_size),
                            SEEK_SET) != 0 ||
                BufFileRead(file_, into, length) != length)
                throw Error(sqlstate::internal_error, "a temporary file is shorter than what was written to it");
        });
    }

private:
    /// Create the file where it outlives the query whose rows are being received as it becomes needed.
    static BufFile *create() {
        MemoryContext before = MemoryContextSwitchTo(CurTransactionContext);
        BufFile *file = BufFileCreateTemp(false);
        MemoryContextSwitchTo(before);
        return file;
    }

    BufFile *file_;
    int exceptions_;
};

} // namespace

std::unique_ptr<SpillFile> open_temporary_file() {
    return std::make_unique<TemporaryFile>();
}

} // namespace snapback
