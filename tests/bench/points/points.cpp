// What MPI does, a point a line: points SECONDS PATTERN:BYTES...
//
//   pingpong:BYTES   2 ranks, a message to and fro: the time of one way, half of an exchange
//   stream:BYTES     2 ranks, WINDOW messages one way and 8 bytes back: the time of one message
//   allreduce:BYTES, bcast:BYTES, alltoall:BYTES
//                    all ranks: the time of one call, of the rank that needs longest;
//                    alltoall sends BYTES to each rank
//
// Rank 0 prints "PATTERN BYTES MICROSECONDS REPETITIONS". Each point is tried for a short time first,
// which is its warm-up and says how often it can be done in SECONDS; all ranks then do it as often.
// What arrives is looked at: a wrong byte ends the job.
#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

const int WINDOW = 16;
int rank = 0, size = 1;

void wrong(const char *what) {
    std::fprintf(stderr, "points: rank %d: %s\n", rank, what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

struct Point {
    std::string pattern;
    std::size_t bytes;
    std::vector<char> out, in;

    Point(const std::string &pattern, std::size_t bytes) : pattern(pattern), bytes(bytes) {
        const std::size_t all = pattern == "alltoall" ? bytes * size : bytes;
        out.assign(all, 0);
        in.assign(pattern == "stream" ? bytes * WINDOW : all, 0);
    }

    void once(char mark) {
        const int count = static_cast<int>(bytes);
        const int doubles = static_cast<int>(bytes / sizeof(double));
        if (pattern == "pingpong") {
            out.front() = out.back() = mark;
            if (rank == 0) {
                MPI_Send(out.data(), count, MPI_CHAR, 1, 0, MPI_COMM_WORLD);
                MPI_Recv(in.data(), count, MPI_CHAR, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            } else {
                MPI_Recv(in.data(), count, MPI_CHAR, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
                MPI_Send(out.data(), count, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
            }
            if (in.front() != mark || in.back() != mark) wrong("pingpong: a wrong byte");
        } else if (pattern == "stream") {
            MPI_Request requests[WINDOW];
            char word[8] = "";
            out.front() = out.back() = mark;
            for (int i = 0; i < WINDOW; ++i) {
                if (rank == 0)
                    MPI_Isend(out.data(), count, MPI_CHAR, 1, i, MPI_COMM_WORLD, &requests[i]);
                else
                    MPI_Irecv(&in[bytes * i], count, MPI_CHAR, 0, i, MPI_COMM_WORLD, &requests[i]);
            }
            MPI_Waitall(WINDOW, requests, MPI_STATUSES_IGNORE);
            if (rank == 0) {
                MPI_Recv(word, sizeof word, MPI_CHAR, 1, WINDOW, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            } else {
                for (int i = 0; i < WINDOW; ++i)
                    if (in[bytes * i] != mark || in[bytes * (i + 1) - 1] != mark)
                        wrong("stream: a wrong byte");
                MPI_Send(word, sizeof word, MPI_CHAR, 0, WINDOW, MPI_COMM_WORLD);
            }
        } else if (pattern == "allreduce") {
            double *mine = reinterpret_cast<double *>(out.data());
            double *sum = reinterpret_cast<double *>(in.data());
            mine[0] = mine[doubles - 1] = rank + mark;
            MPI_Allreduce(mine, sum, doubles, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
            const double right = size * (size - 1) / 2.0 + size * static_cast<double>(mark);
            if (sum[0] != right || sum[doubles - 1] != right) wrong("allreduce: a wrong sum");
        } else if (pattern == "bcast") {
            out.front() = out.back() = rank == 0 ? mark : 0;
            MPI_Bcast(out.data(), count, MPI_CHAR, 0, MPI_COMM_WORLD);
            if (out.front() != mark || out.back() != mark) wrong("bcast: a wrong byte");
        } else {
            for (int to = 0; to < size; ++to) out[bytes * to] = static_cast<char>(mark + rank + to);
            MPI_Alltoall(out.data(), count, MPI_CHAR, in.data(), count, MPI_CHAR, MPI_COMM_WORLD);
            for (int from = 0; from < size; ++from)
                if (in[bytes * from] != static_cast<char>(mark + rank + from))
                    wrong("alltoall: a wrong byte");
        }
    }

    // seconds of so many times, of the rank that needs longest
    double timed(long times) {
        MPI_Barrier(MPI_COMM_WORLD);
        const double start = MPI_Wtime();
        for (long i = 0; i < times; ++i) once(static_cast<char>(i % 100 + 1));
        double mine = MPI_Wtime() - start, longest = 0;
        MPI_Allreduce(&mine, &longest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
        return longest;
    }
};

}  // namespace

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc < 3) wrong("usage: points SECONDS PATTERN:BYTES...");
    const double seconds = std::atof(argv[1]);
    for (int i = 2; i < argc; ++i) {
        char *colon = std::strchr(argv[i], ':');
        if (!colon) wrong("a point is PATTERN:BYTES");
        const std::string pattern(argv[i], colon);
        const std::size_t bytes = std::max(8L, std::atol(colon + 1));
        const bool pair = pattern == "pingpong" || pattern == "stream";
        if (!pair && pattern != "allreduce" && pattern != "bcast" && pattern != "alltoall")
            wrong("no such pattern");
        if (pair && size != 2) wrong("this pattern needs 2 ranks");

        Point point(pattern, bytes);
        long times = 4;
        double took = point.timed(times);
        while (took < seconds / 10 && times < 1L << 30) took = point.timed(times *= 2);
        times = std::max(4L, static_cast<long>(times * seconds / took));
        took = point.timed(times);
        const double each = took / times / (pattern == "pingpong" ? 2 : pattern == "stream" ? WINDOW : 1);
        if (rank == 0) {
            std::printf("%s %zu %.3f %ld\n", pattern.c_str(), bytes, each * 1e6, times);
            std::fflush(stdout);
        }
    }
    MPI_Finalize();
    return 0;
}
