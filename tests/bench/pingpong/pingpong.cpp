// Two ranks send 8 bytes to and fro for some seconds: pingpong [SECONDS]. Rank 0 prints the time of one
// way, half of the mean exchange, and where both ranks were. It runs for a time and not for a number
// of exchanges, so that a side that is hundreds of times slower is asked the same question.
#include <mpi.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    const double seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
    const std::int64_t warm_up = 10, stop = -1;
    int size = 0, rank = 0, length = 0;
    char host[MPI_MAX_PROCESSOR_NAME] = "", other[MPI_MAX_PROCESSOR_NAME] = "";
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Get_processor_name(host, &length);
    if (size != 2) {
        std::fprintf(stderr, "pingpong needs 2 ranks, not %d\n", size);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }

    std::int64_t sent = 0, got = 0;
    if (rank == 1) {
        MPI_Send(host, sizeof host, MPI_CHAR, 0, 1, MPI_COMM_WORLD);
        while (got != stop) {
            MPI_Recv(&got, 1, MPI_INT64_T, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(&got, 1, MPI_INT64_T, 0, 0, MPI_COMM_WORLD);
        }
    } else {
        MPI_Recv(other, sizeof other, MPI_CHAR, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        double start = 0, now = 0;
        do {
            if (sent == warm_up) start = MPI_Wtime();
            MPI_Send(&sent, 1, MPI_INT64_T, 1, 0, MPI_COMM_WORLD);
            MPI_Recv(&got, 1, MPI_INT64_T, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            if (got != sent) MPI_Abort(MPI_COMM_WORLD, 1);
            now = MPI_Wtime();
        } while (++sent <= warm_up || now - start < seconds);
        const std::int64_t exchanges = sent - warm_up;
        MPI_Send(&stop, 1, MPI_INT64_T, 1, 0, MPI_COMM_WORLD);
        MPI_Recv(&got, 1, MPI_INT64_T, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        std::printf("one way: %.3f us, exchanges: %lld, hosts: %s %s\n",
                    (now - start) / static_cast<double>(exchanges) / 2 * 1e6,
                    static_cast<long long>(exchanges), host, other);
    }
    MPI_Finalize();
    return 0;
}
