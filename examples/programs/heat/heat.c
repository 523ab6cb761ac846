/* Heat in a rod whose ends lose none: heat INPUT OUTPUT
 *
 * INPUT has the number of cells and of time steps. The rod begins cold, but for a hot cell in its
 * middle. OUTPUT gets a line for each cell, its number and temperature: they sum up to 1000.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static const double hot = 1000.0, flow = 0.25;

int main(int argc, char **argv) {
    int rank, size, rod[2] = {0, 0}; /* cells, steps */
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);

    if (rank == 0) { /* the input is on the host of rank 0, and others get it from there */
        FILE *input = argc == 3 ? fopen(argv[1], "r") : NULL;
        if (!input || fscanf(input, "%d %d", &rod[0], &rod[1]) != 2 || rod[0] < size) {
            fprintf(stderr, "usage: heat INPUT OUTPUT; INPUT has two numbers: cells and steps\n");
            MPI_Abort(MPI_COMM_WORLD, 2);
        }
        fclose(input);
    }
    MPI_Bcast(rod, 2, MPI_INT, 0, MPI_COMM_WORLD);

    int first = (int)((long)rod[0] * rank / size), last = (int)((long)rod[0] * (rank + 1) / size);
    int cells = last - first, left = rank ? rank - 1 : MPI_PROC_NULL;
    int right = rank + 1 < size ? rank + 1 : MPI_PROC_NULL, middle = rod[0] / 2;
    double *now = calloc(cells + 2, sizeof *now), *next = calloc(cells + 2, sizeof *next);
    if (middle >= first && middle < last) now[middle - first + 1] = hot;

    for (int step = 0; step < rod[1]; step++) {
        MPI_Sendrecv(&now[1], 1, MPI_DOUBLE, left, 0, &now[cells + 1], 1, MPI_DOUBLE, right, 0,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Sendrecv(&now[cells], 1, MPI_DOUBLE, right, 0, &now[0], 1, MPI_DOUBLE, left, 0,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank == 0) now[0] = now[1]; /* the ends */
        if (rank == size - 1) now[cells + 1] = now[cells];
        for (int i = 1; i <= cells; i++)
            next[i] = now[i] + flow * (now[i - 1] - 2 * now[i] + now[i + 1]);
        double *old = now;
        now = next, next = old;
    }

    int *count = malloc(size * sizeof *count), *start = malloc(size * sizeof *start);
    for (int i = 0; i < size; i++) {
        start[i] = (int)((long)rod[0] * i / size);
        count[i] = (int)((long)rod[0] * (i + 1) / size) - start[i];
    }
    double *all = rank == 0 ? malloc(rod[0] * sizeof *all) : NULL;
    MPI_Gatherv(&now[1], cells, MPI_DOUBLE, all, count, start, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        FILE *output = fopen(argv[2], "w");
        for (int i = 0; output && i < rod[0]; i++) fprintf(output, "%d,%.9g\n", i, all[i]);
        if (!output || fclose(output)) {
            perror(argv[2]);
            MPI_Abort(MPI_COMM_WORLD, 1);
        }
        printf("%d cells, %d steps, %d ranks: %s\n", rod[0], rod[1], size, argv[2]);
    }
    free(all), free(count), free(start), free(now), free(next);
    MPI_Finalize();
    return 0;
}
