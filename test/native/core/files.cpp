// Tests of atomic files and of locks on file names.
#include "harness.h"

#include "core/atomic-file.h"
#include "core/error.h"
#include "core/file-system.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

using namespace llamatune;
namespace fs = std::filesystem;

static fs::path empty_folder(const char * name) {
    const fs::path folder = fs::u8path(harness::cache_directory()) / name;
    fs::remove_all(folder);
    fs::create_directories(folder);
    return folder;
}

static std::string contents(const fs::path & path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

static void write(const fs::path & path, const std::string & text) {
    atomic_file file(path.u8string());
    file.write(text.data(), text.size());
    file.commit();
}

static size_t files_in(const fs::path & folder) {
    return size_t(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// Windows requires a privilege for this that few users have.
static void link_to(const fs::path & target, const fs::path & link) {
    std::error_code refused;
    fs::create_symlink(target, link, refused);
    if (refused) SKIP("symbolic links are not permitted here");
}

TEST("core/atomic-file: the destination changes at commit only, and no file is left behind") {
    const fs::path folder = empty_folder("atomic-file"), path = folder / "out.bin";
    write(path, "first");
    CHECK_EQ(contents(path), std::string("first"));
    {
        atomic_file file(path.u8string());
        file.write("second", 6);
        CHECK_EQ(file.position(), uint64_t(6));
        CHECK_EQ(contents(path), std::string("first"));
    }
    CHECK_EQ(contents(path), std::string("first"));
    CHECK_EQ(files_in(folder), size_t(1));
    {
        atomic_file file(path.u8string());
        file.write(std::string(5000, '.').data(), 5000);
        file.write("x", 1);
        file.commit();
    }
    CHECK_EQ(contents(path).size(), size_t(5001));
    CHECK_EQ(contents(path)[5000], 'x');
    CHECK_EQ(files_in(folder), size_t(1));
    CHECK_ERROR("OUTPUT_NOT_WRITABLE", atomic_file((folder / "missing" / "out.bin").u8string()));
    CHECK_ERROR("OUTPUT_NOT_WRITABLE", atomic_file(folder.u8string()));
}

TEST("core/atomic-file: a symbolic link stays a link and its target is replaced") {
    const fs::path folder = empty_folder("atomic-file-links"), real = folder / "real", link = folder / "link";
    fs::create_directories(real);
    write(real / "out.bin", "first");
    link_to(fs::path("real") / "out.bin", link);
    write(link, "second");
    CHECK(fs::is_symlink(link));
    CHECK_EQ(contents(real / "out.bin"), std::string("second"));
    CHECK_EQ(files_in(folder), size_t(2));

    // a link to a link to a file that does not exist yet
    link_to(real / "later.bin", folder / "near");
    link_to("near", folder / "far");
    write(folder / "far", "third");
    CHECK(fs::is_symlink(folder / "far") && fs::is_symlink(folder / "near"));
    CHECK_EQ(contents(real / "later.bin"), std::string("third"));
    CHECK_EQ(files_in(real), size_t(2));

    link_to("circle", folder / "circle");
    CHECK_ERROR("OUTPUT_NOT_WRITABLE", atomic_file((folder / "circle").u8string()));
}

#if !defined(_WIN32)
TEST("core/atomic-file: permissions of a replaced file are kept, and a device is never replaced") {
    const fs::path path = empty_folder("atomic-file-kinds") / "out.bin";
    write(path, "first");
    const fs::perms secret = fs::perms::owner_read | fs::perms::owner_write;
    fs::permissions(path, secret);
    write(path, "second");
    CHECK(fs::status(path).permissions() == secret);
    CHECK_EQ(contents(path), std::string("second"));

    CHECK_ERROR("OUTPUT_NOT_WRITABLE", atomic_file("/dev/null"));
    CHECK(fs::is_character_file("/dev/null"));
}
#endif

TEST("core/atomic-file: a file that does not fit on its disk is refused with both sizes") {
    const fs::path folder = empty_folder("disk-space");
    require_space((folder / "small.bin").u8string(), 1000);
    require_space((folder / "missing" / "out.bin").u8string(), uint64_t(1) << 60); // the free space is not known
    try {
        require_space((folder / "out.bin").u8string(), uint64_t(1) << 60);
        CHECK(!"refused");
    } catch (const error & e) {
        CHECK_EQ(e.code(), std::string("OUTPUT_NOT_WRITABLE"));
        CHECK(std::string(e.what()).find("at least 1152921504606.9 MB, but only ") != std::string::npos);
    }
}

TEST("core/atomic-file: an output that is an input is refused through every path") {
    const fs::path folder = empty_folder("output-is-input"), input = folder / "model.gguf";
    write(input, "model");
    fs::create_directories(folder / "below");
    fs::create_hard_link(input, folder / "hard.gguf");
    const auto refused = [&](const fs::path & output) {
        CHECK_ERROR("OUTPUT_CONFLICT",
                    require_distinct_output(output.u8string(), {"", "/no/such/file", input.u8string()}));
    };
    refused(input);
    refused(folder / "." / "below" / ".." / "model.gguf");
    refused(folder / "hard.gguf");
    require_distinct_output((folder / "new.gguf").u8string(), {input.u8string()});
    require_distinct_output("", {input.u8string()});
    link_to(input, folder / "soft.gguf");
    refused(folder / "soft.gguf");
}

TEST("core/file-system: a lock has one holder at a time, and its file is removed with it") {
    using namespace file_system;
    const fs::path folder = empty_folder("locks"), path = folder / "out.lock";
    lock_attempt first = try_lock(path);
    CHECK(first.state == lock_state::held);
    CHECK(try_lock(path).state == lock_state::busy);
    CHECK_EQ(files_in(folder), size_t(1));
    first.lock->release();
    first.lock.reset();
    CHECK_EQ(files_in(folder), size_t(0));
    CHECK(try_lock(path).state == lock_state::held); // released at once, as by a process that is killed
    CHECK_EQ(files_in(folder), size_t(1));
    lock_attempt next = try_lock(path);
    CHECK(next.state == lock_state::held);
    next.lock->release();
    CHECK(try_lock(folder / "missing" / "out.lock").state == lock_state::failed);
}

TEST("core/file-system: a lock that many threads take and release is never held twice") {
    using namespace file_system;
    const fs::path path = empty_folder("lock-race") / "out.lock";
    std::atomic<int> holders{0}, together{0}, held{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; i++) {
                lock_attempt attempt = try_lock(path);
                if (attempt.state != lock_state::held) continue;
                if (++holders > 1) together++;
                held++;
                holders--;
                attempt.lock->release();
            }
        });
    }
    for (std::thread & thread : threads) thread.join();
    CHECK(held > 0);
    CHECK_EQ(together.load(), 0);
}
