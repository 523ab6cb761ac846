/* Writes one file by all ranks, rank after rank: shared_file PATH. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int rank;
    MPI_File file;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    int mode = MPI_MODE_CREATE | MPI_MODE_WRONLY;
    int failed = MPI_File_open(MPI_COMM_WORLD, argc > 1 ? argv[1] : "/tmp/shared.bin", mode, MPI_INFO_NULL, &file);
    if (failed == MPI_SUCCESS) {
        MPI_Offset place = (MPI_Offset)rank * (MPI_Offset)sizeof rank;
        failed = MPI_File_write_at_all(file, place, &rank, 1, MPI_INT, MPI_STATUS_IGNORE);
        MPI_File_close(&file);
    }
    printf("rank %d: %s\n", rank, failed == MPI_SUCCESS ? "written" : "refused");
    MPI_Finalize();
    return failed == MPI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
