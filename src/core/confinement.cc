#include "core/confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bertha {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArchitecture = 0;  // no filter is made
#endif

// Of Landlock's third version; older headers do not have it.
constexpr uint64_t kTruncate = uint64_t{1} << 14;

constexpr std::array kRefused = {SYS_execve,
                                 SYS_execveat,
                                 SYS_connect,
                                 SYS_bind,
                                 SYS_listen,
#if !defined(__SANITIZE_ADDRESS__)  // which looks for leaks as a debugger
                                 SYS_ptrace,
#endif
                                 SYS_process_vm_readv,
                                 SYS_process_vm_writev,
                                 SYS_mount,
                                 SYS_umount2,
                                 SYS_pivot_root,
                                 SYS_chroot,
                                 SYS_setns,
                                 SYS_unshare,
                                 SYS_init_module,
                                 SYS_finit_module,
                                 SYS_delete_module,
                                 SYS_kexec_load,
                                 SYS_reboot,
                                 SYS_swapon,
                                 SYS_swapoff,
                                 SYS_bpf,
                                 SYS_perf_event_open,
                                 SYS_keyctl,
                                 SYS_add_key,
                                 SYS_request_key,
                                 SYS_io_uring_setup,
                                 SYS_userfaultfd,
                                 SYS_open_by_handle_at};

long landlock_version() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/// Kinds of access that need a rule. To remove a file needs none: a server removes its socket.
uint64_t handled_access(long version) {
  const uint64_t made = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                        LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                        LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                        LANDLOCK_ACCESS_FS_MAKE_SYM;
  return LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | made |
         (version >= 3 ? kTruncate : 0);
}

/// What is needed to write a file aside and rename it within its folder, and folders the same way.
uint64_t output_access(long version) {
  return LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
         (version >= 3 ? kTruncate : 0);
}

/// True where the folder does not exist.
bool allow_below(long rules, const char* folder, uint64_t access) {
  const int descriptor = ::open(folder, O_PATH | O_CLOEXEC);
  if (descriptor < 0) return errno == ENOENT || errno == ENOTDIR;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = descriptor;
  const bool added =
      ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
  ::close(descriptor);
  return added;
}

sock_filter load(size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
}
/// Skips instructions where the loaded value is `value`, or where it is not.
sock_filter skip(uint32_t value, uint8_t if_equal, uint8_t otherwise) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, if_equal, otherwise);
}
sock_filter end(uint32_t action) {
  return BPF_STMT(BPF_RET | BPF_K, action);
}

std::vector<sock_filter> call_filter() {
  constexpr uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;
  constexpr uint32_t kOtherAbi = 0x40000000;  // of x86-64, with numbers of its own
  std::vector<sock_filter> filter = {load(offsetof(seccomp_data, arch)),
                                     skip(kArchitecture, 1, 0),
                                     end(SECCOMP_RET_KILL_PROCESS),
                                     load(offsetof(seccomp_data, nr)),
                                     BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kOtherAbi, 0, 1),
                                     end(kRefuse)};
  for (const long call : kRefused) {
    filter.push_back(skip(static_cast<uint32_t>(call), 0, 1));
    filter.push_back(end(kRefuse));
  }
  filter.push_back(skip(SYS_socket, 0, 3));
  filter.push_back(load(offsetof(seccomp_data, args)));
  filter.push_back(skip(AF_UNIX, 1, 0));
  filter.push_back(end(kRefuse));
  filter.push_back(end(SECCOMP_RET_ALLOW));
  return filter;
}

}  // namespace

bool can_confine_files() {
  return landlock_version() > 0;
}

bool can_confine_calls() {
  uint32_t action = SECCOMP_RET_ERRNO;
  return kArchitecture != 0 && ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

bool confine_files(const FileRights& rights) {
  const long version = landlock_version();
  if (version <= 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = handled_access(version);
  const long rules = ::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
  if (rules < 0) return false;
  bool allowed = allow_below(rules, "/dev", LANDLOCK_ACCESS_FS_WRITE_FILE);
  for (const std::string& folder : rights.socket_folders) {
    allowed = allowed && allow_below(rules, folder.c_str(), LANDLOCK_ACCESS_FS_MAKE_SOCK);
  }
  for (const std::string& folder : rights.output_folders) {
    allowed = allowed && allow_below(rules, folder.c_str(), output_access(version));
  }
  const bool confined = allowed && ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  ::close(static_cast<int>(rules));
  return confined;
}

bool confine_calls() {
  if (!can_confine_calls() || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  std::vector<sock_filter> filter = call_filter();
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                           .filter = filter.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

}  // namespace bertha
