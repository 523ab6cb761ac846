/* mpigen copies this file as it is; a file at the same path in a site's templates/ replaces it.
 *
 * Measures the network between the hosts of a cluster, with one rank on each: every pair, and the
 * collectives. Prints one JSON document; /usr/local/bin/mpi-bench starts it.
 *   HOST=NODE...  the node that a host is on (without: each on one of its own)
 *   --at-once     measure pairs that share no host at the same time
 *
 * Rank 0 decides what is measured. A rank that takes no part sleeps, since a rank that waits as MPI does
 * takes the core of one that measures. What is not done after PATIENCE seconds is given up: where a
 * network drops large packets, MPI waits for ever. */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 8, LARGE = 1 << 20, WINDOW = 4, PASSES = 3, SAMPLES = 4000 };
enum { ORDER = 1, REPORT, DATA };                   /* tags */
enum { STOP, PINGPONG, STREAM, COLLECTIVE };        /* orders */
enum { ALLREDUCE, BCAST, ALLTOALL, COLLECTIVES };
static const double SHARE = 0.04;       /* seconds that a pair is measured for, each time */
static const double TOGETHER = 0.06;    /* and a collective */
static const double PATIENCE = 10;
static const double ENOUGH = 30;        /* for all collectives: what is left then is left out */
static const size_t MOST = 64u << 20;   /* bytes that a rank sends in an alltoall */
static const int SIZES[] = {8, 64, 512, 4096, 32768, 262144, 1048576};
enum { SIZE_COUNT = sizeof SIZES / sizeof *SIZES };
static const char *const NAMES[] = {"allreduce", "bcast", "alltoall"};

typedef struct {
    char host[256], interface[64];
    int mtu, cpus;
    double load;
} Facts;

typedef struct {
    double low, median, high;   /* the middle and the quartiles */
} Spread;

typedef struct {
    int a, b, failed;
    Spread latency[PASSES], there[PASSES], back[PASSES];    /* seconds; bytes a second */
} Pair;

typedef struct {
    int kind, peer, leads, size;
} Order;

static int rank, ranks;
static char *out, *in;
static double samples[SAMPLES];
static int sampled;

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static Spread spread(double *of, int count) {
    Spread found = {0, 0, 0};
    if (!count) return found;
    qsort(of, count, sizeof *of, compare);
    found.low = of[count / 4];
    found.median = of[count / 2];
    found.high = of[count - 1 - count / 4];
    return found;
}

/* ---- a pair ---- */

static int finish(MPI_Request *requests, int count) {
    double until = MPI_Wtime() + PATIENCE;
    MPI_Status statuses[WINDOW];
    int done = 0;
    while (!done) {
        MPI_Testall(count, requests, &done, statuses);
        if (!done && MPI_Wtime() > until) return 0;
    }
    return 1;
}

static int give(int size, int peer) {
    MPI_Request request;
    MPI_Isend(out, size, MPI_BYTE, peer, DATA, MPI_COMM_WORLD, &request);
    return finish(&request, 1);
}

static int take(int size, int peer) {
    MPI_Request request;
    MPI_Irecv(in, size, MPI_BYTE, peer, DATA, MPI_COMM_WORLD, &request);
    return finish(&request, 1);
}

static int over(double began) {
    return sampled + 1 >= SAMPLES || MPI_Wtime() - began > SHARE;
}

/* Half of each round trip. The first byte of a message says whether it is the last. */
static int pingpong(const Order *order) {
    double began = MPI_Wtime();
    for (int round = 0;; round++) {
        if (!order->leads) {
            if (!take(order->size, order->peer)) return 0;
            out[0] = in[0];
            if (!give(order->size, order->peer)) return 0;
            if (in[0]) return 1;
            continue;
        }
        out[0] = round >= 2 && over(began);
        double start = MPI_Wtime();
        if (!give(order->size, order->peer) || !take(order->size, order->peer)) return 0;
        if (round >= 2) samples[sampled++] = (MPI_Wtime() - start) / 2;
        if (out[0]) return 1;
    }
}

/* Bytes a second of WINDOW messages at a time, each window answered by a small one. */
static int stream(const Order *order) {
    MPI_Request requests[WINDOW];
    double began = MPI_Wtime();
    for (int round = 0;; round++) {
        char *window = order->leads ? out : in;
        if (order->leads) out[0] = round >= 1 && over(began);
        double start = MPI_Wtime();
        for (int i = 0; i < WINDOW; i++) {
            char *part = window + (size_t)i * order->size;
            if (order->leads) MPI_Isend(part, order->size, MPI_BYTE, order->peer, DATA, MPI_COMM_WORLD, &requests[i]);
            else MPI_Irecv(part, order->size, MPI_BYTE, order->peer, DATA, MPI_COMM_WORLD, &requests[i]);
        }
        if (!finish(requests, WINDOW)) return 0;
        if (!order->leads) {
            int last = in[0];
            if (!give(SMALL, order->peer)) return 0;
            if (last) return 1;
            continue;
        }
        if (!take(SMALL, order->peer)) return 0;
        if (round >= 1) samples[sampled++] = (double)WINDOW * order->size / (MPI_Wtime() - start);
        if (out[0]) return 1;
    }
}

/* ---- all of them ---- */

static void collective(int which, int size) {
    if (which == ALLREDUCE) MPI_Allreduce(out, in, size / 8, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    if (which == BCAST) MPI_Bcast(out, size, MPI_BYTE, 0, MPI_COMM_WORLD);
    if (which == ALLTOALL) MPI_Alltoall(out, size, MPI_BYTE, in, size, MPI_BYTE, MPI_COMM_WORLD);
}

/* Seconds of each call, from a barrier until the last rank is done. */
static void together(int which, int size) {
    double one = 0;
    for (int warm = 0; warm < 2; warm++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double start = MPI_Wtime();
        collective(which, size);
        one = MPI_Wtime() - start;
    }
    MPI_Allreduce(MPI_IN_PLACE, &one, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    int count = one > 0 ? (int)(TOGETHER / one) : 200;
    count = count < 3 ? 3 : count > 200 ? 200 : count;
    for (sampled = 0; sampled < count; sampled++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double start = MPI_Wtime();
        collective(which, size);
        samples[sampled] = MPI_Wtime() - start;
    }
    if (rank) MPI_Reduce(samples, NULL, count, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    else MPI_Reduce(MPI_IN_PLACE, samples, count, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
}

/* ---- orders ---- */

/* Sleeps until there is a message of that kind; false after so many seconds, if any. */
static int comes(int from, int tag, double seconds) {
    struct timespec moment = {0, 1000000};
    double began = MPI_Wtime();
    for (;;) {
        int there = 0;
        MPI_Iprobe(from, tag, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
        if (there) return 1;
        if (seconds > 0 && MPI_Wtime() - began > seconds) return 0;
        nanosleep(&moment, NULL);
    }
}

/* What came of an order: whether it was done, and the spread of what was measured. */
static void obey(const Order *order, double report[4]) {
    sampled = 0;
    report[0] = order->kind == PINGPONG ? pingpong(order) : stream(order);
    Spread found = spread(samples, sampled);
    report[1] = found.low;
    report[2] = found.median;
    report[3] = found.high;
}

static void serve(void) {
    for (;;) {
        Order order;
        double report[4];
        comes(0, ORDER, 0);
        MPI_Recv(&order, 4, MPI_INT, 0, ORDER, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (order.kind == STOP) return;
        if (order.kind == COLLECTIVE) {
            together(order.peer, order.size);
            continue;
        }
        obey(&order, report);
        MPI_Send(report, 4, MPI_DOUBLE, 0, REPORT, MPI_COMM_WORLD);
    }
}

/* ---- rank 0 ---- */

static Facts *facts;
static char **nodes;
static int *lost;
static double began;

static void tell(int to, Order order) {
    MPI_Send(&order, 4, MPI_INT, to, ORDER, MPI_COMM_WORLD);
}

static int heard(int from, double report[4]) {
    if (!comes(from, REPORT, 4 * PATIENCE)) {
        lost[from] = 1;
        return 0;
    }
    MPI_Recv(report, 4, MPI_DOUBLE, from, REPORT, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return report[0] != 0;
}

/* Measures pairs that share no rank, all at the same time. A pair that fails is not tried again. */
static void measure(Pair **pairs, int count, int kind, int size, int turned, Spread *into) {
    Pair *mine = NULL;
    double own[4] = {0}, report[4] = {0};
    for (int i = 0; i < count; i++) {
        Pair *pair = pairs[i];
        int first = turned ? pair->b : pair->a, second = turned ? pair->a : pair->b;
        if (lost[first] || lost[second]) pair->failed = 1;
        if (pair->failed) continue;
        if (first) tell(first, (Order){kind, second, 1, size});
        if (second) tell(second, (Order){kind, first, 0, size});
        if (!first || !second) mine = pair;
    }
    if (mine) {
        int leads = (turned ? mine->b : mine->a) == 0;
        obey(&(Order){kind, mine->a ? mine->a : mine->b, leads, size}, own);
    }
    for (int i = 0; i < count; i++) {
        Pair *pair = pairs[i];
        if (pair->failed) continue;
        int first = turned ? pair->b : pair->a, second = turned ? pair->a : pair->b;
        double *said = first ? report : own;
        int good = first ? heard(first, report) : own[0] != 0;
        into[i] = (Spread){said[1], said[2], said[3]};
        pair->failed = !((second ? heard(second, report) : own[0] != 0) && good);
    }
}

/* The middle one of the passes that were measured; zeros if none was. */
static Spread middle(const Spread *passes) {
    double low[PASSES], median[PASSES], high[PASSES];
    int count = 0;
    for (int i = 0; i < PASSES; i++) {
        if (!passes[i].median) continue;
        low[count] = passes[i].low;
        median[count] = passes[i].median;
        high[count++] = passes[i].high;
    }
    return (Spread){spread(low, count).median, spread(median, count).median, spread(high, count).median};
}

static void text(const char *name, const char *value) {
    printf("\"%s\": \"", name);
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c == '"' || *c == '\\') printf("\\%c", *c);
        else if (*c < ' ' || *c > '~') printf("\\u%04x", *c);
        else putchar(*c);
    }
    putchar('"');
}

static void numbers(const char *name, Spread of, double factor) {
    printf("\"%s\": [%.4g, %.4g, %.4g]", name, of.low * factor, of.median * factor, of.high * factor);
}

static void progress(int done, int all) {
    static double last;
    double now = MPI_Wtime();
    if (now - (last ? last : began) < 2 || done == all) return;
    last = now;
    double left = (now - began) / done * (all - done);
    fprintf(stderr, "mpi-bench: %d of %d measurements of pairs, %.0f s left\n", done, all, left);
}

/* All pairs in the order of a tournament, in which a round has each rank once at most. */
static int tournament(Pair *pairs, int *round_of) {
    int even = ranks + ranks % 2, count = 0;
    for (int round = 0; round < even - 1; round++)
        for (int i = 0; i < even / 2; i++) {
            int a = i ? (round + i) % (even - 1) : even - 1;
            int b = (round + even - 1 - i) % (even - 1);
            if (a >= ranks || b >= ranks) continue;
            round_of[count] = round;
            pairs[count].a = a < b ? a : b;
            pairs[count++].b = a < b ? b : a;
        }
    return count;
}

static void all_pairs(Pair *pairs, int count, const int *round_of, int at_once) {
    Pair **chosen = malloc(ranks * sizeof *chosen);
    Spread *found = malloc(ranks * sizeof *found);
    int done = 0, all = count * PASSES * 3;
    for (int pass = 0; pass < PASSES; pass++)
        for (int what = 0; what < 3; what++)
            for (int next = 0; next < count;) {
                int together = 0, first = next;
                do chosen[together++] = &pairs[next++];
                while (at_once && next < count && round_of[next] == round_of[first]);
                measure(chosen, together, what ? STREAM : PINGPONG, what ? LARGE : SMALL, what == 2, found);
                for (int i = 0; i < together; i++) {
                    Pair *pair = chosen[i];
                    Spread *into = what == 0 ? pair->latency : what == 1 ? pair->there : pair->back;
                    /* what was measured before a pair has failed holds: small messages may pass */
                    if (!pair->failed) into[pass] = found[i];
                }
                done += together;
                progress(done, all);
            }
    free(chosen);
    free(found);
}

/* A pair that is twice as slow in either is twice as slow. */
static double slowness(const Pair *pair) {
    double there = middle(pair->there).median, back = middle(pair->back).median;
    return middle(pair->latency).median / (there < back ? there : back);
}

static int by_slowness(const void *a, const void *b) {
    double x = slowness(*(Pair *const *)a), y = slowness(*(Pair *const *)b);
    return (x > y) - (x < y);
}

/* Time over size of one pair, in passes as all else. */
static void curve(Pair *pair) {
    Spread found[SIZE_COUNT][PASSES];
    memset(found, 0, sizeof found);
    for (int pass = 0; pass < PASSES; pass++)
        for (int s = 0; s < SIZE_COUNT; s++) measure(&pair, 1, PINGPONG, SIZES[s], 0, &found[s][pass]);
    printf("{\"a\": %d, \"b\": %d, \"points\": [", pair->a, pair->b);
    for (int s = 0; s < SIZE_COUNT; s++) {
        printf("%s{\"size\": %d, ", s ? ", " : "", SIZES[s]);
        numbers("us", middle(found[s]), 1e6);
        putchar('}');
    }
    printf("]}");
}

/* Of pairs on one node, and of others: one that is as fast as pairs are, and the slowest. */
static void curves(Pair *pairs, int count) {
    Pair **kind = malloc(count * sizeof *kind);
    int printed = 0;
    for (int same = 0; same < 2; same++) {
        int of_kind = 0;
        for (int i = 0; i < count; i++)
            if ((strcmp(nodes[pairs[i].a], nodes[pairs[i].b]) == 0) == same) kind[of_kind++] = &pairs[i];
        qsort(kind, of_kind, sizeof *kind, by_slowness);
        for (int i = 0; i < 2 && i < of_kind; i++) {
            printf("%s\n  ", printed++ ? "," : "");
            curve(kind[i ? of_kind - 1 : (of_kind - 1) / 4]);
        }
    }
    free(kind);
}

static void collectives(void) {
    Spread found[COLLECTIVES][SIZE_COUNT][PASSES];
    memset(found, 0, sizeof found);
    int printed = 0;
    double start = MPI_Wtime();
    for (int pass = 0; pass < PASSES; pass++)
        for (int which = 0; which < COLLECTIVES; which++)
            for (int s = 0; s < SIZE_COUNT; s++) {
                if (which == ALLTOALL && (size_t)SIZES[s] * ranks > MOST) continue;
                if (MPI_Wtime() - start > ENOUGH) continue;
                for (int to = 1; to < ranks; to++) tell(to, (Order){COLLECTIVE, which, 0, SIZES[s]});
                together(which, SIZES[s]);
                found[which][s][pass] = spread(samples, sampled);
            }
    for (int which = 0; which < COLLECTIVES; which++)
        for (int s = 0; s < SIZE_COUNT; s++) {
            if (!found[which][s][0].median) continue;
            printf("%s\n  {\"name\": \"%s\", \"size\": %d, ", printed++ ? "," : "", NAMES[which], SIZES[s]);
            numbers("us", middle(found[which][s]), 1e6);
            putchar('}');
        }
}

/* Whether all was measured. */
static int lead(int at_once) {
    int count = ranks * (ranks - 1) / 2, failed = 0, version_length = 0;
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    Pair *pairs = calloc((unsigned)count, sizeof *pairs);
    int *round_of = calloc((unsigned)count, sizeof *round_of);
    lost = calloc((unsigned)ranks, sizeof *lost);
    tournament(pairs, round_of);
    double turns = at_once ? ranks - 1 + ranks % 2 : count;
    double expected = PASSES * (turns * 3 * SHARE * 1.3 + SIZE_COUNT * (4 * SHARE + COLLECTIVES * TOGETHER * 1.3));
    fprintf(stderr, "mpi-bench: %d hosts, %d pairs %s, then collectives: about %.0f s\n", ranks, count,
            at_once ? "at once where they share no host" : "one at a time", expected);
    began = MPI_Wtime();
    all_pairs(pairs, count, round_of, at_once);

    MPI_Get_library_version(version, &version_length);
    printf("{");
    text("mpi", version);
    printf(",\n\"at_once\": %s,\n\"hosts\": [", at_once ? "true" : "false");
    for (int i = 0; i < ranks; i++) {
        printf("%s\n  {", i ? "," : "");
        text("host", facts[i].host);
        printf(", ");
        text("node", nodes[i]);
        printf(", ");
        text("interface", facts[i].interface);
        printf(", \"mtu\": %d, \"cpus\": %d, \"load\": %.2f}", facts[i].mtu, facts[i].cpus, facts[i].load);
    }
    printf("],\n\"pairs\": [");
    for (int i = 0; i < count; i++) {
        printf("%s\n  {\"a\": %d, \"b\": %d, \"failed\": %s, ", i ? "," : "", pairs[i].a, pairs[i].b,
               pairs[i].failed ? "true" : "false");
        numbers("latency_us", middle(pairs[i].latency), 1e6);
        printf(", ");
        numbers("there_mb_s", middle(pairs[i].there), 1e-6);
        printf(", ");
        numbers("back_mb_s", middle(pairs[i].back), 1e-6);
        putchar('}');
        failed |= pairs[i].failed;
    }
    printf("],\n\"curves\": [");
    if (!failed) curves(pairs, count);
    for (int i = 0; i < count; i++) failed |= pairs[i].failed;
    printf("],\n\"collectives\": [");
    if (!failed) collectives();
    printf("],\n\"seconds\": %.1f}\n", MPI_Wtime() - began);
    fflush(stdout);
    for (int to = 1; to < ranks; to++)
        if (!lost[to]) tell(to, (Order){STOP, 0, 0, 0});
    return !failed;
}

/* ---- what a host is ---- */

static void word(const char *file, const char *form, void *into) {
    FILE *stream = fopen(file, "r");
    if (!stream) return;
    if (fscanf(stream, form, into) != 1) fprintf(stderr, "mpi-bench: %s cannot be read\n", file);
    fclose(stream);
}

static Facts look(void) {
    Facts found = {.mtu = 0};
    char path[128];
    gethostname(found.host, sizeof found.host - 1);
    word("/run/mpi/interface", "%63s", found.interface);
    snprintf(path, sizeof path, "/sys/class/net/%s/mtu", found.interface);
    word(path, "%d", &found.mtu);
    word("/proc/loadavg", "%lf", &found.load);
    found.cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return found;
}

static char *node_of(const char *host, int count, char **words) {
    size_t length = strlen(host);
    for (int i = 1; i < count; i++)
        if (!strncmp(words[i], host, length) && words[i][length] == '=') return words[i] + length + 1;
    return (char *)host;
}

static void leave(int number) {
    (void)number;
    _exit(0);
}

int main(int argc, char **argv) {
    Facts own = look();     /* the load before MPI waits for anything */
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    int at_once = 0;
    for (int i = 1; i < argc; i++) at_once |= !strcmp(argv[i], "--at-once");
    if (ranks < 2) {
        fprintf(stderr, "mpi-bench: a single host has no network to measure\n");
        MPI_Finalize();
        return 2;
    }
    size_t room = (size_t)LARGE * WINDOW;
    if ((size_t)LARGE * ranks > room) room = (size_t)LARGE * ranks < MOST ? (size_t)LARGE * ranks : MOST;
    out = calloc(room, 1);
    in = calloc(room, 1);
    facts = calloc(ranks, sizeof *facts);
    nodes = calloc(ranks, sizeof *nodes);
    if (!out || !in || !facts || !nodes) {
        fprintf(stderr, "mpi-bench: no memory\n");
        MPI_Abort(MPI_COMM_WORLD, 3);
    }
    MPI_Gather(&own, sizeof own, MPI_BYTE, facts, sizeof own, MPI_BYTE, 0, MPI_COMM_WORLD);
    int good = 1;
    if (rank) serve();
    else {
        for (int i = 0; i < ranks; i++) nodes[i] = node_of(facts[i].host, argc, argv);
        good = lead(at_once);
        if (!good) {
            /* messages are under way that nobody will take: MPI_Finalize would wait for them */
            sleep(1);
            MPI_Abort(MPI_COMM_WORLD, 4);
        }
    }
    /* MPICH 4.0.2 (UCX) has hung in MPI_Finalize, one rank waiting for others that no longer listen */
    MPI_Barrier(MPI_COMM_WORLD);
    signal(SIGALRM, leave);
    alarm(10);
    MPI_Finalize();
    return 0;
}
