// A library for LD_PRELOAD that makes the n-th call of a kind fail, for tests of what a program
// does then. It counts from the first instruction of main() to the end of the process, over all
// threads.
//
//   BERTHA_FAULT_KIND   open, read, write, flush, rename, mmap, close, allocate, unlink, status,
//   folder,
//                       socket, thread, memory (the kinds below)
//   BERTHA_FAULT_AT     n, from 1; 0 counts alone
//   BERTHA_FAULT_ERROR  errno, as a number; -1: a read or write moves half of its bytes, and no
//   error BERTHA_FAULT_TIMES  how many calls fail, from the n-th on (1); 0: all BERTHA_FAULT_COUNT
//   a file of two int64, which gets the calls counted and those that failed
//
// It is reached by what the program and its libraries call through their tables of symbols: C++
// streams and std::filesystem too, as libstdc++ calls the functions here. It is not reached by what
// glibc calls within itself: the reads and writes behind a FILE (so fopen, fread, fwrite, fputs,
// fflush and fclose are counted as calls of their own, but for standard error, where the program
// reports), the maps of malloc, the loader, and the system calls of name look-ups.

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio_ext.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

// glibc's own, which do not come back here.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

struct Counts {
  std::atomic<int64_t> calls;
  std::atomic<int64_t> failed;
};

constexpr int kShort = -1;

std::atomic<bool> armed{false};
std::string_view kind;
int64_t fail_at = 0;
int fault = EIO;
int64_t times = 1;
Counts unshared{};
Counts* counts = &unshared;

int64_t number_in(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

/// In a file that outlives the process, however it ends.
void share_counts(const char* path) {
  const auto file = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT, 0644));
  if (file < 0 || ::syscall(SYS_ftruncate, file, sizeof(Counts)) != 0) ::_exit(125);
  const long base =
      ::syscall(SYS_mmap, nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::syscall(SYS_close, file);
  if (base == -1) ::_exit(125);
  counts = reinterpret_cast<Counts*>(base);
}

void arm() {
  const char* name = std::getenv("BERTHA_FAULT_KIND");
  const char* path = std::getenv("BERTHA_FAULT_COUNT");
  if (name == nullptr || path == nullptr) return;
  kind = name;
  fail_at = number_in("BERTHA_FAULT_AT", 0);
  fault = static_cast<int>(number_in("BERTHA_FAULT_ERROR", EIO));
  times = number_in("BERTHA_FAULT_TIMES", 1);
  share_counts(path);
  armed = true;
}

/// Counts a call of a kind. True where it is to fail.
bool reached(std::string_view of) {
  if (!armed.load(std::memory_order_relaxed) || of != kind) return false;
  const int64_t call = ++counts->calls;
  if (fail_at == 0 || call < fail_at || (times > 0 && call >= fail_at + times)) return false;
  ++counts->failed;
  return true;
}

/// The same for a call that cannot be short: it fails with errno.
bool fails(std::string_view of) {
  if (!reached(of)) return false;
  errno = fault == kShort ? EIO : fault;
  return true;
}

/// The bytes that a read or write may move; -1 where it fails.
ssize_t allowed(std::string_view of, size_t size) {
  if (!reached(of)) return static_cast<ssize_t>(size);
  if (fault == kShort) return static_cast<ssize_t>((size + 1) / 2);
  errno = fault;
  return -1;
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int open_file(int folder, const char* path, int flags, unsigned mode) {
  if (fails("open")) return -1;
  return static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
}

/// What FILE functions return for a lost byte also marks the stream, as ferror() shows it.
void mark_failed(std::FILE* file) {
  constexpr int kErrorSeen = 0x20;  // _IO_ERR_SEEN of glibc
  file->_flags |= kErrorSeen;
}

bool stream_fails(std::string_view of, std::FILE* file) {
  if (file == stderr || !fails(of)) return false;
  if (file != nullptr) mark_failed(file);
  return true;
}

int (*program_main)(int, char**, char**) = nullptr;

int armed_main(int count, char** words, char** environment) {
  arm();
  return program_main(count, words, environment);
}

unsigned mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0;
}

}  // namespace

// The functions repeat declarations of headers that say noexcept, nonnull and so on.
#pragma GCC diagnostic ignored "-Wattributes"
#pragma GCC diagnostic ignored "-Wmissing-declarations"

extern "C" {

int __libc_start_main(int (*main)(int, char**, char**), int count, char** words, void (*init)(),
                      void (*fini)(), void (*loader_fini)(), void* stack) {
  program_main = main;
  using Start =
      int(int (*)(int, char**, char**), int, char**, void (*)(), void (*)(), void (*)(), void*);
  return next<Start>("__libc_start_main")(armed_main, count, words, init, fini, loader_fini, stack);
}

// open

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_file(folder, path, flags, mode);
}
int __open_2(const char* path, int flags) {
  return open_file(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char* path, int flags) {
  return open_file(AT_FDCWD, path, flags, 0);
}
int __openat_2(int folder, const char* path, int flags) {
  return open_file(folder, path, flags, 0);
}
int __openat64_2(int folder, const char* path, int flags) {
  return open_file(folder, path, flags, 0);
}
std::FILE* fopen(const char* path, const char* mode) {
  if (fails("open")) return nullptr;
  return next<std::FILE*(const char*, const char*)>("fopen")(path, mode);
}
std::FILE* fopen64(const char* path, const char* mode) {
  if (fails("open")) return nullptr;
  return next<std::FILE*(const char*, const char*)>("fopen64")(path, mode);
}
std::FILE* fdopen(int descriptor, const char* mode) noexcept {
  if (fails("open")) return nullptr;
  return next<std::FILE*(int, const char*)>("fdopen")(descriptor, mode);
}

// read

ssize_t read(int descriptor, void* data, size_t size) {
  const ssize_t part = allowed("read", size);
  return part < 0 ? part : ::syscall(SYS_read, descriptor, data, part);
}
ssize_t __read_chk(int descriptor, void* data, size_t size, size_t) {
  return read(descriptor, data, size);
}
ssize_t pread64(int descriptor, void* data, size_t size, off_t offset) {
  const ssize_t part = allowed("read", size);
  return part < 0 ? part : ::syscall(SYS_pread64, descriptor, data, part, offset);
}
ssize_t pread(int descriptor, void* data, size_t size, off_t offset) {
  return pread64(descriptor, data, size, offset);
}
ssize_t __pread_chk(int descriptor, void* data, size_t size, off_t offset, size_t) {
  return pread64(descriptor, data, size, offset);
}
ssize_t __pread64_chk(int descriptor, void* data, size_t size, off_t offset, size_t) {
  return pread64(descriptor, data, size, offset);
}
ssize_t readv(int descriptor, const iovec* parts, int count) {
  if (fails("read")) return -1;
  return ::syscall(SYS_readv, descriptor, parts, count);
}
size_t fread(void* data, size_t size, size_t count, std::FILE* file) {
  if (stream_fails("read", file)) return 0;
  return next<size_t(void*, size_t, size_t, std::FILE*)>("fread")(data, size, count, file);
}
size_t __fread_chk(void* data, size_t, size_t size, size_t count, std::FILE* file) {
  return fread(data, size, count, file);
}

// write

ssize_t write(int descriptor, const void* data, size_t size) {
  const ssize_t part =
      descriptor == STDERR_FILENO ? static_cast<ssize_t>(size) : allowed("write", size);
  return part < 0 ? part : ::syscall(SYS_write, descriptor, data, part);
}
ssize_t pwrite64(int descriptor, const void* data, size_t size, off_t offset) {
  const ssize_t part = allowed("write", size);
  return part < 0 ? part : ::syscall(SYS_pwrite64, descriptor, data, part, offset);
}
ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  return pwrite64(descriptor, data, size, offset);
}
ssize_t writev(int descriptor, const iovec* parts, int count) {
  if (fails("write")) return -1;
  return ::syscall(SYS_writev, descriptor, parts, count);
}
size_t fwrite(const void* data, size_t size, size_t count, std::FILE* file) {
  if (stream_fails("write", file)) return 0;
  return next<size_t(const void*, size_t, size_t, std::FILE*)>("fwrite")(data, size, count, file);
}
int fputs(const char* text, std::FILE* file) {
  if (stream_fails("write", file)) return EOF;
  return next<int(const char*, std::FILE*)>("fputs")(text, file);
}
int fflush(std::FILE* file) {
  // Without buffered bytes nothing is written.
  const bool writes = file == nullptr || ::__fpending(file) > 0;
  if (writes && stream_fails("write", file)) return EOF;
  return next<int(std::FILE*)>("fflush")(file);
}

// flush

int fsync(int descriptor) {
  return fails("flush") ? -1 : static_cast<int>(::syscall(SYS_fsync, descriptor));
}
int fdatasync(int descriptor) {
  return fails("flush") ? -1 : static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

// rename

int rename(const char* from, const char* to) noexcept {
  return fails("rename") ? -1 : static_cast<int>(::syscall(SYS_rename, from, to));
}
int renameat2(int old_folder, const char* from, int new_folder, const char* to,
              unsigned flags) noexcept {
  if (fails("rename")) return -1;
  return static_cast<int>(::syscall(SYS_renameat2, old_folder, from, new_folder, to, flags));
}

// mmap

void* mmap64(void* address, size_t size, int protection, int flags, int descriptor,
             off_t offset) noexcept {
  if (fails("mmap")) return MAP_FAILED;
  return reinterpret_cast<void*>(
      ::syscall(SYS_mmap, address, size, protection, flags, descriptor, offset));
}
void* mmap(void* address, size_t size, int protection, int flags, int descriptor,
           off_t offset) noexcept {
  return mmap64(address, size, protection, flags, descriptor, offset);
}
int munmap(void* address, size_t size) noexcept {
  return fails("mmap") ? -1 : static_cast<int>(::syscall(SYS_munmap, address, size));
}

// close: as Linux does, the descriptor is free after a failure

int close(int descriptor) {
  const auto closed = static_cast<int>(::syscall(SYS_close, descriptor));
  return fails("close") ? -1 : closed;
}
int fclose(std::FILE* file) {
  const int closed = next<int(std::FILE*)>("fclose")(file);
  return fails("close") ? EOF : closed;
}

// allocate: space on the disk

int fallocate64(int descriptor, int mode, off_t offset, off_t size) {
  if (fails("allocate")) return -1;
  return static_cast<int>(::syscall(SYS_fallocate, descriptor, mode, offset, size));
}
int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  return fallocate64(descriptor, mode, offset, size);
}
int posix_fallocate64(int descriptor, off_t offset, off_t size) {
  return fallocate64(descriptor, 0, offset, size) == 0 ? 0 : errno;
}
int posix_fallocate(int descriptor, off_t offset, off_t size) {
  return posix_fallocate64(descriptor, offset, size);
}
int ftruncate64(int descriptor, off_t size) noexcept {
  return fails("allocate") ? -1 : static_cast<int>(::syscall(SYS_ftruncate, descriptor, size));
}
int ftruncate(int descriptor, off_t size) noexcept {
  return ftruncate64(descriptor, size);
}

// unlink

int unlink(const char* path) noexcept {
  return fails("unlink") ? -1 : static_cast<int>(::syscall(SYS_unlink, path));
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  return fails("unlink") ? -1 : static_cast<int>(::syscall(SYS_unlinkat, folder, path, flags));
}
int rmdir(const char* path) noexcept {
  return fails("unlink") ? -1 : static_cast<int>(::syscall(SYS_rmdir, path));
}
int remove(const char* path) noexcept {
  return fails("unlink") ? -1 : next<int(const char*)>("remove")(path);
}

// status

int stat(const char* path, struct stat* status) noexcept {
  if (fails("status")) return -1;
  return static_cast<int>(::syscall(SYS_newfstatat, AT_FDCWD, path, status, 0));
}
int stat64(const char* path, struct stat64* status) noexcept {
  if (fails("status")) return -1;
  return static_cast<int>(::syscall(SYS_newfstatat, AT_FDCWD, path, status, 0));
}
int lstat(const char* path, struct stat* status) noexcept {
  if (fails("status")) return -1;
  return static_cast<int>(::syscall(SYS_newfstatat, AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW));
}
int lstat64(const char* path, struct stat64* status) noexcept {
  if (fails("status")) return -1;
  return static_cast<int>(::syscall(SYS_newfstatat, AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW));
}
int fstat(int descriptor, struct stat* status) noexcept {
  return fails("status") ? -1 : static_cast<int>(::syscall(SYS_fstat, descriptor, status));
}
int fstat64(int descriptor, struct stat64* status) noexcept {
  return fails("status") ? -1 : static_cast<int>(::syscall(SYS_fstat, descriptor, status));
}
int statfs(const char* path, struct statfs* status) noexcept {
  return fails("status") ? -1 : static_cast<int>(::syscall(SYS_statfs, path, status));
}
int statfs64(const char* path, struct statfs64* status) noexcept {
  return fails("status") ? -1 : static_cast<int>(::syscall(SYS_statfs, path, status));
}
int statvfs(const char* path, struct statvfs* status) noexcept {
  if (fails("status")) return -1;
  return next<int(const char*, struct statvfs*)>("statvfs")(path, status);
}
int statvfs64(const char* path, struct statvfs64* status) noexcept {
  if (fails("status")) return -1;
  return next<int(const char*, struct statvfs64*)>("statvfs64")(path, status);
}

// folder

int mkdir(const char* path, mode_t mode) noexcept {
  return fails("folder") ? -1 : static_cast<int>(::syscall(SYS_mkdir, path, mode));
}
DIR* opendir(const char* path) {
  return fails("folder") ? nullptr : next<DIR*(const char*)>("opendir")(path);
}
dirent* readdir(DIR* folder) {
  return fails("folder") ? nullptr : next<dirent*(DIR*)>("readdir")(folder);
}
dirent64* readdir64(DIR* folder) {
  return fails("folder") ? nullptr : next<dirent64*(DIR*)>("readdir64")(folder);
}

// socket

int socket(int domain, int type, int protocol) noexcept {
  return fails("socket") ? -1 : static_cast<int>(::syscall(SYS_socket, domain, type, protocol));
}
int connect(int descriptor, const sockaddr* address, socklen_t size) {
  return fails("socket") ? -1 : static_cast<int>(::syscall(SYS_connect, descriptor, address, size));
}
int bind(int descriptor, const sockaddr* address, socklen_t size) noexcept {
  return fails("socket") ? -1 : static_cast<int>(::syscall(SYS_bind, descriptor, address, size));
}
int listen(int descriptor, int length) noexcept {
  return fails("socket") ? -1 : static_cast<int>(::syscall(SYS_listen, descriptor, length));
}
int accept(int descriptor, sockaddr* address, socklen_t* size) {
  return fails("socket") ? -1 : static_cast<int>(::syscall(SYS_accept, descriptor, address, size));
}
int accept4(int descriptor, sockaddr* address, socklen_t* size, int flags) {
  if (fails("socket")) return -1;
  return static_cast<int>(::syscall(SYS_accept4, descriptor, address, size, flags));
}
int setsockopt(int descriptor, int level, int name, const void* value, socklen_t size) noexcept {
  if (fails("socket")) return -1;
  return static_cast<int>(::syscall(SYS_setsockopt, descriptor, level, name, value, size));
}
int getsockname(int descriptor, sockaddr* address, socklen_t* size) noexcept {
  if (fails("socket")) return -1;
  return static_cast<int>(::syscall(SYS_getsockname, descriptor, address, size));
}
ssize_t recvmsg(int descriptor, msghdr* message, int flags) {
  return fails("socket") ? -1 : ::syscall(SYS_recvmsg, descriptor, message, flags);
}
ssize_t recv(int descriptor, void* data, size_t size, int flags) {
  const ssize_t part = allowed("socket", size);
  return part < 0 ? part : ::syscall(SYS_recvfrom, descriptor, data, part, flags, nullptr, nullptr);
}
ssize_t __recv_chk(int descriptor, void* data, size_t size, size_t, int flags) {
  return recv(descriptor, data, size, flags);
}
ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  return fails("socket") ? -1 : ::syscall(SYS_sendmsg, descriptor, message, flags);
}
ssize_t send(int descriptor, const void* data, size_t size, int flags) {
  const ssize_t part = allowed("socket", size);
  return part < 0 ? part : ::syscall(SYS_sendto, descriptor, data, part, flags, nullptr, 0);
}
int epoll_create1(int flags) noexcept {
  return fails("socket") ? -1 : static_cast<int>(::syscall(SYS_epoll_create1, flags));
}
int epoll_ctl(int set, int operation, int descriptor, epoll_event* event) noexcept {
  return fails("socket")
             ? -1
             : static_cast<int>(::syscall(SYS_epoll_ctl, set, operation, descriptor, event));
}
int eventfd(unsigned value, int flags) noexcept {
  return fails("socket") ? -1 : static_cast<int>(::syscall(SYS_eventfd2, value, flags));
}
int timerfd_create(int clock, int flags) noexcept {
  return fails("socket") ? -1 : static_cast<int>(::syscall(SYS_timerfd_create, clock, flags));
}

// thread

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                   void* argument) noexcept {
  if (reached("thread")) return EAGAIN;
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  return next<Create>("pthread_create")(thread, attributes, body, argument);
}

// memory: operator new calls malloc or aligned_alloc

void* malloc(size_t size) noexcept {
  return fails("memory") ? nullptr : __libc_malloc(size);
}
void* calloc(size_t count, size_t size) noexcept {
  return fails("memory") ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) noexcept {
  return fails("memory") ? nullptr : __libc_realloc(old, size);
}
void* memalign(size_t alignment, size_t size) noexcept {
  return fails("memory") ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept {
  return memalign(alignment, size);
}
int posix_memalign(void** result, size_t alignment, size_t size) noexcept {
  *result = memalign(alignment, size);
  return *result == nullptr ? ENOMEM : 0;
}

}  // extern "C"
