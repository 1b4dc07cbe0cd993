/* Appends pages to a file at a fixed rate, and waits until each page is on the disk. For each page, prints the
 * milliseconds from the time at which the page was due until the page was on the disk. bench/webhook.lua compares an
 * inbox in SQLite with this program, because the inbox waits for the disk before each response. Arguments: file, pages,
 * pages per second. */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void wait_until(double moment)
{
    double left = moment - now();
    if (left <= 0) return;
    struct timespec pause = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };
    nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
    static const char page[PAGE];
    if (argc != 4) {
        fputs("usage: bare_fsync FILE PAGES PAGES_PER_SECOND\n", stderr);
        return 2;
    }
    int file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0) {
        perror(argv[1]);
        return 1;
    }
    int count = atoi(argv[2]);
    double rate = atof(argv[3]), started = now();
    for (int number = 0; number < count; number++) {
        double due = started + number / rate;
        wait_until(due);
        if (write(file, page, PAGE) != PAGE || fdatasync(file) != 0) {
            perror(argv[1]);
            return 1;
        }
        printf("%.3f ", (now() - due) * 1e3);
    }
    puts("");
    return close(file) == 0 ? 0 : 1;
}
