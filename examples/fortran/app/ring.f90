! A token goes round all ranks, which each add their number to it; stops with 1 if it comes back wrong.
program ring
  use mpi
  use omp_lib
  implicit none
  integer :: ierr, rank, ranks, token, length
  character(len=MPI_MAX_PROCESSOR_NAME) :: host

  call MPI_Init(ierr)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, ierr)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, ierr)
  call MPI_Get_processor_name(host, length, ierr)
  print '(a,i0,a,i0,a,i0,2a)', 'Size: ', ranks, ', Rank: ', rank, ', Threads: ', &
    omp_get_max_threads(), ', Host: ', host(1:length)

  token = 0
  if (rank > 0) call MPI_Recv(token, 1, MPI_INTEGER, rank - 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE, ierr)
  token = token + rank
  if (ranks > 1) call MPI_Send(token, 1, MPI_INTEGER, mod(rank + 1, ranks), 0, MPI_COMM_WORLD, ierr)
  if (rank == 0) then
    if (ranks > 1) call MPI_Recv(token, 1, MPI_INTEGER, ranks - 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE, ierr)
    if (token /= ranks * (ranks - 1) / 2) then
      print '(a,i0)', 'the token is wrong: ', token
      call MPI_Abort(MPI_COMM_WORLD, 1, ierr)
    end if
    print '(a,i0)', 'the token has been everywhere: ', token
  end if
  call MPI_Finalize(ierr)
end program ring
