/*
 * checkpoint STEPS [FOLDER]: adds up numbers of all ranks, a step each 0.1 s, and writes what it has each
 * ten steps. A run that begins anew goes on from the newest checkpoint that any rank finds in FOLDER
 * (default: where it was started). Every rank writes the whole state beside its host, so no storage that
 * hosts share is needed as long as one of them is left. With shared storage give its folder.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct state {
    long step, sum;
};

static char path[4000], part[4096];

static void load(struct state *state) {
    FILE *file = fopen(path, "r");
    if (!file) return;
    if (fscanf(file, "%ld %ld", &state->step, &state->sum) != 2) state->step = state->sum = 0;
    fclose(file);
}

/* Under another name first: a run that is killed in between leaves the checkpoint before it. */
static void save(const struct state *state) {
    FILE *file = fopen(part, "w");
    int failed = !file || fprintf(file, "%ld %ld\n", state->step, state->sum) < 0;
    if (file) failed |= fflush(file) || fsync(fileno(file)) || fclose(file);
    if (failed || rename(part, path)) {
        perror(path);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int size, rank;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    long steps = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    if (steps < 1) {
        if (!rank) fprintf(stderr, "usage: checkpoint STEPS [FOLDER]\n");
        MPI_Finalize();
        return 2;
    }
    snprintf(path, sizeof path, "%s/checkpoint.%d", argc > 2 ? argv[2] : ".", rank);
    snprintf(part, sizeof part, "%s.part", path);

    struct state state = {0, 0};
    load(&state);
    struct { long step; int rank; } mine = {state.step, rank}, newest;
    MPI_Allreduce(&mine, &newest, 1, MPI_LONG_INT, MPI_MAXLOC, MPI_COMM_WORLD);
    MPI_Bcast(&state, 2, MPI_LONG, newest.rank, MPI_COMM_WORLD);
    if (!rank) {
        printf("begins at step %ld\n", state.step);
        fflush(stdout);
    }
    while (state.step < steps) {
        long number = rank + ++state.step, sum;
        MPI_Allreduce(&number, &sum, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
        state.sum += sum;
        if (state.step % 10 == 0) {
            save(&state);
            if (!rank) {
                printf("step %ld\n", state.step);
                fflush(stdout);
            }
        }
        usleep(100000);
    }
    long right = steps * size * (size - 1) / 2 + size * steps * (steps + 1) / 2;
    if (!rank) printf("%ld steps: %ld, %s\n", steps, state.sum, state.sum == right ? "correct" : "wrong");
    unlink(path);
    MPI_Finalize();
    return state.sum != right;
}
