/* Preloaded into a server, this counts each process's fdatasync and nanosleep calls: PACED_CALLS/<pid>.<call> has a byte
 * for each, and <pid>.synced one for each whole millisecond that an fdatasync took. With a PACED_CALLS/<pid>.intact,
 * fdatasync works as often as that has bytes, and then fails as on a broken disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* No buffer is shared: a nanosleep may come from a signal handler, in the midst of all this. */
struct path {
    char text[4096];
};

static struct path file_of(const char *what) {
    struct path path;
    snprintf(path.text, sizeof path.text, "%s/%d.%s", getenv("PACED_CALLS"), (int)getpid(), what);
    return path;
}

static void count(const char *call) {
    int error = errno;
    int file = open(file_of(call).text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file < 0 || write(file, ".", 1) != 1)
        abort();
    close(file);
    errno = error;
}

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int is_broken(void) {
    struct stat intact, called;
    return stat(file_of("intact").text, &intact) == 0 && stat(file_of("fdatasync").text, &called) == 0 && called.st_size > intact.st_size;
}

int fdatasync(int file) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    count("fdatasync");
    if (is_broken()) {
        errno = EIO;
        return -1;
    }
    long began = milliseconds();
    int result = real(file);
    for (long passed = milliseconds() - began; passed > 0; passed--)
        count("synced");
    return result;
}

int nanosleep(const struct timespec *duration, struct timespec *remaining) {
    int (*real)(const struct timespec *, struct timespec *) = dlsym(RTLD_NEXT, "nanosleep");
    count("nanosleep");
    return real(duration, remaining);
}
