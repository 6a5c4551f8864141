#if !defined(_WIN32)

#include "core/file-system.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace llamatune::file_system {

int process_id() { return int(getpid()); }
std::FILE * open_for_writing(const fs::path & path) { return std::fopen(path.c_str(), "w+b"); }
bool flush_to_disk(std::FILE * file) { return std::fflush(file) == 0 && fsync(fileno(file)) == 0; }

bool replace(const fs::path & from, const fs::path & to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) return false;
    // The new name survives a crash only once the folder is synced. Some file systems cannot sync a folder, which is
    // not an error.
    const fs::path folder = to.has_parent_path() ? to.parent_path() : fs::path(".");
    const int fd = open(folder.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    return true;
}

namespace {

class posix_lock final : public held_lock {
public:
    posix_lock(fs::path path, int fd) : path_(std::move(path)), fd_(fd) {}
    ~posix_lock() override { close(fd_); }
    // The lock is still held here, so this never removes the next holder's file.
    void release() override { unlink(path_.c_str()); }

private:
    fs::path path_;
    int fd_;
};

// Does the path still lead to the open file? Its last holder may have removed it in the meantime.
bool leads_to(const fs::path & path, int fd) {
    struct stat by_name, by_descriptor;
    return stat(path.c_str(), &by_name) == 0 && fstat(fd, &by_descriptor) == 0 &&
           by_name.st_dev == by_descriptor.st_dev && by_name.st_ino == by_descriptor.st_ino;
}

int open_lock_file(const fs::path & path) {
    const int flags = O_CLOEXEC | O_NOFOLLOW;
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | flags, 0644);
    // A file that another user's process left behind can be locked but not written to.
    return fd < 0 && errno == EACCES ? open(path.c_str(), O_RDONLY | flags) : fd;
}

lock_state state_of(int reason) {
    if (reason == EWOULDBLOCK) return lock_state::busy;
    const bool unsupported = reason == ENOLCK || reason == ENOSYS || reason == ENOTSUP || reason == EOPNOTSUPP;
    return unsupported ? lock_state::unsupported : lock_state::failed;
}

}

lock_attempt try_lock(const fs::path & path) {
    for (;;) {
        const int fd = open_lock_file(path);
        if (fd < 0) return {lock_state::failed, nullptr};
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            const lock_state state = state_of(errno);
            if (state == lock_state::unsupported) unlink(path.c_str());
            close(fd);
            return {state, nullptr};
        }
        if (!leads_to(path, fd)) {
            close(fd);
            continue;
        }
        const std::string owner = std::to_string(process_id()) + "\n";
        if (ftruncate(fd, 0) == 0) (void)!write(fd, owner.data(), owner.size()); // for messages only
        return {lock_state::held, std::make_unique<posix_lock>(path, fd)};
    }
}

}

#endif
