// Every rank sends to every other one at once, messages of 1 KiB to 4 MiB: what needs most of
// /dev/shm where ranks share a container.
#include <mpi.h>

#include <cstdio>
#include <vector>

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int size = 0, rank = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    for (int bytes = 1 << 10; bytes <= 1 << 22; bytes *= 2) {
        std::vector<char> out(bytes, char(rank));
        std::vector<std::vector<char>> in(size, std::vector<char>(bytes));
        for (int time = 0; time < 8; time++) {
            std::vector<MPI_Request> all(2 * size);
            for (int peer = 0; peer < size; peer++) {
                MPI_Irecv(in[peer].data(), bytes, MPI_CHAR, peer, time, MPI_COMM_WORLD, &all[2 * peer]);
                MPI_Isend(out.data(), bytes, MPI_CHAR, peer, time, MPI_COMM_WORLD, &all[2 * peer + 1]);
            }
            MPI_Waitall(int(all.size()), all.data(), MPI_STATUSES_IGNORE);
        }
        for (int peer = 0; peer < size; peer++)
            if (in[peer] != std::vector<char>(bytes, char(peer))) MPI_Abort(MPI_COMM_WORLD, 1);
    }
    if (rank == 0) std::puts("well");
    MPI_Finalize();
    return 0;
}
