/* What a plain TCP connection does between two containers, with the patterns of points.cpp:
 *
 *   tcp serve PORT
 *   tcp ask ADDRESS PORT WAY SECONDS PATTERN:BYTES...
 *
 * PATTERN is pingpong or stream, WAY is how both sides wait for what comes: "block" in recv(2), as most
 * programs do, or "poll", asking again and again, as MPI does. Prints
 * "PATTERN BYTES MICROSECONDS REPETITIONS" as points.cpp does. The server takes one client after another,
 * and ends with the connection of a client that says nothing. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 16 };

/* what the client asks of the server, before each batch */
struct order {
    uint32_t stream, poll;
    uint64_t bytes, times;
};

static int polling;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void sent(int to, const char *data, size_t bytes) {
    while (bytes) {
        ssize_t n = send(to, data, bytes, polling ? MSG_DONTWAIT : 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n < 0) fail("send");
        data += n, bytes -= (size_t)n;
    }
}

static int got(int from, char *data, size_t bytes) {
    while (bytes) {
        ssize_t n = recv(from, data, bytes, polling ? MSG_DONTWAIT : 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n < 0) fail("recv");
        if (n == 0) return 0;
        data += n, bytes -= (size_t)n;
    }
    return 1;
}

static void at_once(int connection) {
    int on = 1;
    if (setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) fail("TCP_NODELAY");
}

static char *buffer_of(size_t bytes) {
    char *buffer = calloc(bytes, 1);
    if (!buffer) fail("calloc");
    return buffer;
}

static void serve(int port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4)) fail("listen");
    for (int told = 1; told;) {
        struct order order;
        char word[8] = "";
        int client = accept(listener, 0, 0);
        if (client < 0) fail("accept");
        at_once(client);
        for (told = 0; polling = 0, got(client, (char *)&order, sizeof order); told = 1) {
            char *buffer = buffer_of(order.bytes);
            sent(client, word, sizeof word);
            polling = (int)order.poll;
            for (uint64_t i = 0; i < order.times; ++i) {
                for (int n = 0; n < (order.stream ? WINDOW : 1); ++n)
                    if (!got(client, buffer, order.bytes)) fail("a client that left");
                if (order.stream)
                    sent(client, word, sizeof word);
                else
                    sent(client, buffer, order.bytes);
            }
            free(buffer);
        }
        close(client);
    }
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* seconds of so many times */
static double timed(int server, struct order order, char *buffer) {
    char word[8];
    polling = 0;
    sent(server, (char *)&order, sizeof order);
    got(server, word, sizeof word);
    polling = (int)order.poll;
    double start = now();
    for (uint64_t i = 0; i < order.times; ++i) {
        for (int n = 0; n < (order.stream ? WINDOW : 1); ++n) sent(server, buffer, order.bytes);
        if (!(order.stream ? got(server, word, sizeof word) : got(server, buffer, order.bytes)))
            fail("the server left");
    }
    return now() - start;
}

static void ask(char **words, int count) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
    int server = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, words[0], &there.sin_addr);
    if (connect(server, (struct sockaddr *)&there, sizeof there)) fail("connect");
    at_once(server);
    double seconds = atof(words[3]);
    for (int i = 4; i < count; ++i) {
        char *colon = strchr(words[i], ':');
        if (!colon) fail("a point is PATTERN:BYTES");
        struct order order = {.stream = !strncmp(words[i], "stream:", 7),
                              .poll = !strcmp(words[2], "poll"),
                              .bytes = strtoull(colon + 1, 0, 10),
                              .times = 4};
        char *buffer = buffer_of(order.bytes);
        double took = timed(server, order, buffer);
        while (took < seconds / 10) order.times *= 2, took = timed(server, order, buffer);
        order.times = (uint64_t)((double)order.times * seconds / took);
        if (order.times < 4) order.times = 4;
        took = timed(server, order, buffer);
        printf("%.*s %llu %.3f %llu\n", (int)(colon - words[i]), words[i],
               (unsigned long long)order.bytes,
               took / (double)order.times / (order.stream ? WINDOW : 2) * 1e6,
               (unsigned long long)order.times);
        fflush(stdout);
        free(buffer);
    }
    close(server);
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "serve"))
        serve(atoi(argv[2]));
    else if (argc > 6 && !strcmp(argv[1], "ask"))
        ask(argv + 2, argc - 2);
    else
        return fputs("usage: tcp serve PORT | ask ADDRESS PORT block|poll SECONDS PATTERN:BYTES...\n",
                     stderr), 2;
    return 0;
}
