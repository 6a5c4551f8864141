import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Programs in C++ that try to do harm or to get around limits. Those that end print what they could do. */

export const FORK_BOMB = `#include <unistd.h>
int main() { for (;;) fork(); }`;

export const ENDLESS_LOOP = `int main() { for (volatile unsigned i = 0;; i++) {} }`;

export const SLEEP = `#include <unistd.h>
int main() { sleep(1000); }`;

/** Uses this much memory in each of several processes. */
export const allocation = (mebibytes: number, processes: number) => `#include <cstdlib>
#include <unistd.h>
int main() {
  for (int i = 1; i < ${processes}; i++) if (fork() == 0) break;
  std::size_t size = ${mebibytes}ull << 20;
  volatile char * data = (char *) std::malloc(size);
  if (!data) return 3;
  for (std::size_t i = 0; i < size; i += 4096) data[i] = 1;
  sleep(${processes > 1 ? 100 : 0});
  return 0;
}`;

/** Uses memory in ways that the memory of a process does not show. */
export const HIDDEN_ALLOCATION = `#include <cstdio>
#include <cstring>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>
#include <vector>
int main() {
  int segments = 0;
  for (int i = 0; i < 40; i++) {
    int id = shmget(IPC_PRIVATE, 10 << 20, 0600);
    if (id >= 0) segments++;
  }
  std::printf("%d\\n", segments);
  std::fflush(stdout);
  std::vector<char> block(10 << 20, 'x');
  for (int i = 0; i < 40; i++) {
    int file = memfd_create("x", 0);
    if (write(file, block.data(), block.size()) < 0) return 3;
  }
  sleep(100);
}`;

/** Prints the paths that it could write to, and those that it could read. */
export const fileAccess = (
  writes: readonly string[],
  reads: readonly string[],
) => `#include <cstdio>
#include <initializer_list>
int main() {
  for (const char * path : {${writes.map((path) => JSON.stringify(path)).join(', ')}})
    if (FILE * file = std::fopen(path, "w")) { std::printf("wrote %s\\n", path); std::fclose(file); }
  for (const char * path : {${reads.map((path) => JSON.stringify(path)).join(', ')}})
    if (FILE * file = std::fopen(path, "r")) { std::printf("read %s\\n", path); std::fclose(file); }
  std::puts("end");
}`;

/** Prints its environment, and that of pid 1 if it can. */
export const ENVIRONMENT = `#include <cstdio>
extern char ** environ;
int main() {
  for (char ** each = environ; *each; each++) std::puts(*each);
  if (FILE * file = std::fopen("/proc/1/environ", "r"))
    for (int c; (c = std::fgetc(file)) != EOF;) std::putchar(c ? c : '\\n');
}`;

/** Prints the networks that it reached: a server on this machine, the internet, an abstract socket. */
export const sockets = (port: number, abstractName: string) => `#include <arpa/inet.h>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main() {
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_port = htons(${port});
  inet_pton(AF_INET, "127.0.0.1", &local.sin_addr);
  int tcp = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(tcp, (sockaddr *) &local, sizeof local) == 0) std::puts("local");
  sockaddr_in far = local;
  inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  if (sendto(udp, "x", 1, 0, (sockaddr *) &far, sizeof far) == 1) std::puts("far");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strcpy(name.sun_path + 1, "${abstractName}");
  int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t length = offsetof(sockaddr_un, sun_path) + 1 + ${abstractName.length};
  if (connect(unix_socket, (sockaddr *) &name, length) == 0) std::puts("abstract");
  std::puts("end");
}`;

export const ENDLESS_OUTPUT = `#include <cstdio>
int main() { for (;;) std::puts("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"); }`;

export const HUGE_FILE = `#include <cstdio>
#include <vector>
int main() {
  std::vector<char> block(1 << 20, 'x');
  FILE * file = std::fopen("huge", "w");
  for (int i = 0; i < 100; i++) std::fwrite(block.data(), 1, block.size(), file);
  std::puts("written");
}`;

/** Prints how many files of this size it could write in its folder. */
export const manyFiles = (count: number, bytes: number) => `#include <cstdio>
#include <string>
int main() {
  std::string text(${bytes}, 'x');
  int written = 0;
  for (int i = 0; i < ${count}; i++) {
    FILE * file = std::fopen(std::to_string(i).c_str(), "w");
    if (!file) continue;
    bool whole = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) == 0 && whole) written++;
  }
  std::printf("%d\\n", written);
}`;

/** Leaves a process behind that has its own session, no open files and another parent. */
export const DAEMON = `#include <cstdio>
#include <unistd.h>
int main() {
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      for (int i = 0; i < 256; i++) close(i);
      sleep(1000);
    }
    _exit(0);
  }
  std::puts("started");
}`;

/** Stops, then kills every process that it may. */
export const KILL_ALL = `#include <csignal>
#include <unistd.h>
int main() {
  kill(1, SIGKILL);
  kill(-1, SIGSTOP);
  kill(-1, SIGKILL);
  sleep(1000);
}`;

const processIds = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** What `read` returns, or '' for a process that has ended. */
function ofProcess(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/** A comment for the code of an answer, by which programsOf() finds its programs. */
export const newMark = (): string => `// mark ${randomUUID()}\n`;

/** Ids of processes on this machine that run a program of an answer. */
const programsOfAnswers = (): string[] =>
  processIds().filter((pid) =>
    ofProcess(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')).startsWith(
      '/answer/box/program\0',
    ),
  );

/**
 * Ids of those whose code has the mark, and of those whose code cannot be read. Other tests may run programs of answers at
 * the same time.
 */
export const programsOf = (mark: string): string[] =>
  programsOfAnswers().filter((pid) => {
    const code = ofProcess(() => readFileSync(`/proc/${pid}/root/answer/box/main.cpp`, 'utf8'));
    return code === '' ? isRunning(pid) : code.includes(mark);
  });

/** False for a process that has ended, also if its parent does not know yet. */
const isRunning = (pid: string): boolean =>
  /^State:\s*[^ZX]/m.test(ofProcess(() => readFileSync(`/proc/${pid}/status`, 'utf8')));

const namespaceOf = (pid: string): string => ofProcess(() => readlinkSync(`/proc/${pid}/ns/pid`));

/** The namespace of a program of an answer that a descendant of this process runs; undefined if there is none. */
export function namespaceUnder(ancestor: number): string | undefined {
  const isUnder = (pid: string): boolean => {
    const status = ofProcess(() => readFileSync(`/proc/${pid}/status`, 'utf8'));
    const parent = /^PPid:\s*(\d+)$/m.exec(status)?.[1] ?? '0';
    return Number(parent) === ancestor || (parent !== '0' && isUnder(parent));
  };
  const found = programsOfAnswers().find(isUnder);
  return found === undefined ? undefined : namespaceOf(found) || undefined;
}

/** Processes in a namespace. */
export const processesIn = (namespace: string): string[] =>
  processIds().filter((pid) => namespaceOf(pid) === namespace);
