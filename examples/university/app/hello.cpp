// Each rank says who it is, as every first MPI program does; then all of them communicate, and
// check what they get: a cluster whose ranks only print has shown nothing.
#include <mpi.h>

#include <cstdio>
#include <vector>

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int size = 0, rank = 0, length = 0;
    char host[MPI_MAX_PROCESSOR_NAME];
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Get_processor_name(host, &length);
    std::printf("Size: %d, Rank: %d, Host: %s\n", size, rank, host);
    std::fflush(stdout);

    // long enough to take both of MPI's ways of sending: at once, and after a rendezvous
    int wrong = 0;
    for (int count : {1, 1 << 18}) {
        std::vector<double> mine(count), sum(count);
        for (int i = 0; i < count; i++) mine[i] = rank + i % 7;
        MPI_Allreduce(mine.data(), sum.data(), count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
        for (int i = 0; i < count; i++) {
            double right = size * (size - 1) / 2.0 + double(size) * (i % 7);
            if (sum[i] != right) wrong++;
        }
    }
    if (wrong) std::fprintf(stderr, "Rank %d: %d sums of the allreduce are wrong\n", rank, wrong);
    int failed = 0;
    MPI_Allreduce(&wrong, &failed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0 && !failed) std::printf("Allreduce over %d ranks: correct\n", size);
    MPI_Finalize();
    return failed ? 1 : 0;
}
