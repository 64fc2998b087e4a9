#include "postgres/spi/spill_file.hpp"

#include <algorithm>

#include "postgres/error/boundary.hpp"

extern "C" {
#include "storage/fd.h"
#include "utils/wait_event.h"
}

namespace snapback {

namespace {

/// A file for the large reads and writes of the sorter. PostgreSQL's buffered files would copy the data through 8 kB
/// pages with one system call each.
class TemporaryFile final : public SpillFile {
public:
    TemporaryFile() : file_(call([] { return OpenTemporaryFile(false); })), exceptions_(std::uncaught_exceptions()) {}
    ~TemporaryFile() override {
        // After an error, the transaction end closes and removes the file.
        if (std::uncaught_exceptions() == exceptions_)
            call_noexcept([&] { FileClose(file_); });
    }

    void append(std::string_view bytes) override {
        while (!bytes.empty()) {
            auto piece = static_cast<int>(std::min(bytes.size(), largest_piece));
            call([&] {
                CHECK_FOR_INTERRUPTS();
                if (FileWrite(file_, const_cast<char *>(bytes.data()), piece, size_, WAIT_EVENT_BUFFILE_WRITE) != piece)
                    ereport(ERROR, (errcode_for_file_access(), errmsg("could not write to temporary file: %m")));
            });
            bytes.remove_prefix(static_cast<std::size_t>(piece));
            size_ += piece;
        }
    }

    void read(std::uint64_t offset, char *into, std::size_t length) override {
        while (length > 0) {
            auto piece = static_cast<int>(std::min(length, largest_piece));
            call([&] {
                CHECK_FOR_INTERRUPTS();
                int got = FileRead(file_, into, piece, static_cast<off_t>(offset), WAIT_EVENT_BUFFILE_READ);
                if (got < 0)
                    ereport(ERROR, (errcode_for_file_access(), errmsg("could not read from temporary file: %m")));
                if (got != piece)
                    throw Error(sqlstate::internal_error, "temporary file is shorter than expected");
            });
            into += piece;
            length -= static_cast<std::size_t>(piece);
            offset += static_cast<std::uint64_t>(piece);
        }
    }

private:
    static constexpr std::size_t largest_piece = 16 * 1024 * 1024;

    File file_;
    off_t size_ = 0;
    int exceptions_;
};

} // namespace

std::unique_ptr<SpillFile> open_temporary_file() {
    return std::make_unique<TemporaryFile>();
}

} // namespace snapback
