/* A plugin: the calls of Bertha to MPI, compiled for one MPI library (mpi_plugin.h).

   For an MPI library of your own, without root:

     mpicc -O2 -shared -fPIC mpi_plugin.c -o bertha_mpi_site.so
     export BERTHA_MPI=$PWD/bertha_mpi_site.so
*/

#include "mpi_plugin.h"

#include <mpi.h>
#include <stddef.h>
#include <stdio.h>

_Static_assert(MPI_MAX_ERROR_STRING <= BERTHA_MPI_TEXT_BYTES,
               "error_string() needs a larger buffer");
_Static_assert(MPI_MAX_PROCESSOR_NAME <= BERTHA_MPI_TEXT_BYTES,
               "processor_name() needs a larger buffer");

/* Handles are pointers in Open MPI and numbers in MPICH. */
static MPI_Comm comm_of(BerthaMpiComm comm) {
  return (MPI_Comm)(intptr_t)comm;
}

static BerthaMpiComm handle_of(MPI_Comm comm) {
  return (BerthaMpiComm)(intptr_t)comm;
}

static MPI_Datatype type_of(BerthaMpiType type) {
  switch (type) {
    case BERTHA_MPI_BYTE:
      return MPI_BYTE;
    case BERTHA_MPI_INT:
      return MPI_INT;
    case BERTHA_MPI_UINT16:
      return MPI_UINT16_T;
    case BERTHA_MPI_UINT64:
      return MPI_UINT64_T;
    case BERTHA_MPI_FLOAT:
      return MPI_FLOAT;
    case BERTHA_MPI_DOUBLE:
      return MPI_DOUBLE;
  }
  return MPI_DATATYPE_NULL;
}

static MPI_Op op_of(BerthaMpiOp op) {
  return op == BERTHA_MPI_SUM ? MPI_SUM : MPI_MAX;
}

/* Hands a started operation to the caller. */
static int started(int status, MPI_Request pending, BerthaMpiRequest* request) {
  const int none = status != MPI_SUCCESS || pending == MPI_REQUEST_NULL;
  *request = none ? 0 : (BerthaMpiRequest)(intptr_t)pending;
  return status;
}

static int init(int* multiple) {
  int provided = MPI_THREAD_SINGLE;
  const int status = MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
  *multiple = provided >= MPI_THREAD_MULTIPLE;
  if (status != MPI_SUCCESS) return status;
  return MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

static int finalize(void) {
  return MPI_Finalize();
}

static void abort_job(int status) {
  MPI_Abort(MPI_COMM_WORLD, status);
}

static void error_string(int status, char* text) {
  int length = 0;
  MPI_Error_string(status, text, &length);
  text[length] = 0;
}

static void processor_name(char* text) {
  int length = 0;
  MPI_Get_processor_name(text, &length);
  text[length] = 0;
}

static void library_version(char* text) {
  char whole[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(whole, &length);
  snprintf(text, BERTHA_MPI_TEXT_BYTES, "%.*s", length, whole);
}

static BerthaMpiComm world(void) {
  return handle_of(MPI_COMM_WORLD);
}

static int comm_dup(BerthaMpiComm comm, BerthaMpiComm* copy) {
  MPI_Comm made = MPI_COMM_NULL;
  const int status = MPI_Comm_dup(comm_of(comm), &made);
  *copy = handle_of(made);
  return status;
}

static int comm_free(BerthaMpiComm* comm) {
  MPI_Comm freed = comm_of(*comm);
  const int status = MPI_Comm_free(&freed);
  *comm = handle_of(freed);
  return status;
}

static int comm_rank(BerthaMpiComm comm) {
  int rank = 0;
  MPI_Comm_rank(comm_of(comm), &rank);
  return rank;
}

static int comm_size(BerthaMpiComm comm) {
  int size = 1;
  MPI_Comm_size(comm_of(comm), &size);
  return size;
}

static int rank_on_host(int* rank) {
  int key = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &key);
  MPI_Comm host = MPI_COMM_NULL;
  const int status =
      MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, key, MPI_INFO_NULL, &host);
  if (status != MPI_SUCCESS) return status;
  MPI_Comm_rank(host, rank);
  return MPI_Comm_free(&host);
}

static int barrier(BerthaMpiComm comm) {
  return MPI_Barrier(comm_of(comm));
}

static int bcast(void* data, int count, BerthaMpiType type, int root, BerthaMpiComm comm) {
  return MPI_Bcast(data, count, type_of(type), root, comm_of(comm));
}

static int allgather(const void* mine, void* all, int count, BerthaMpiType type,
                     BerthaMpiComm comm) {
  return MPI_Allgather(mine, count, type_of(type), all, count, type_of(type), comm_of(comm));
}

static int allgatherv(void* all, const int* counts, const int* begin, BerthaMpiType type,
                      BerthaMpiComm comm) {
  return MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, counts, begin, type_of(type),
                        comm_of(comm));
}

static int gatherv(const void* mine, int count, void* all, const int* counts, const int* begin,
                   BerthaMpiType type, int root, BerthaMpiComm comm) {
  return MPI_Gatherv(mine, count, type_of(type), all, counts, begin, type_of(type), root,
                     comm_of(comm));
}

static int ibarrier(BerthaMpiComm comm, BerthaMpiRequest* request) {
  MPI_Request pending = MPI_REQUEST_NULL;
  const int status = MPI_Ibarrier(comm_of(comm), &pending);
  return started(status, pending, request);
}

static int iallreduce(const void* mine, void* all, int count, BerthaMpiType type, BerthaMpiOp op,
                      BerthaMpiComm comm, BerthaMpiRequest* request) {
  MPI_Request pending = MPI_REQUEST_NULL;
  const int status = MPI_Iallreduce(mine == NULL ? MPI_IN_PLACE : mine, all, count, type_of(type),
                                    op_of(op), comm_of(comm), &pending);
  return started(status, pending, request);
}

static int iallgatherv(void* all, const int* counts, const int* begin, BerthaMpiType type,
                       BerthaMpiComm comm, BerthaMpiRequest* request) {
  MPI_Request pending = MPI_REQUEST_NULL;
  const int status = MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, counts, begin,
                                     type_of(type), comm_of(comm), &pending);
  return started(status, pending, request);
}

static int ialltoallv(const void* sent, const int* sent_counts, const int* sent_begin,
                      void* received, const int* received_counts, const int* received_begin,
                      BerthaMpiType type, BerthaMpiComm comm, BerthaMpiRequest* request) {
  MPI_Request pending = MPI_REQUEST_NULL;
  const int status =
      MPI_Ialltoallv(sent, sent_counts, sent_begin, type_of(type), received, received_counts,
                     received_begin, type_of(type), comm_of(comm), &pending);
  return started(status, pending, request);
}

static int isend(const void* data, int bytes, int rank, int tag, BerthaMpiComm comm,
                 BerthaMpiRequest* request) {
  MPI_Request pending = MPI_REQUEST_NULL;
  const int status = MPI_Isend(data, bytes, MPI_BYTE, rank, tag, comm_of(comm), &pending);
  return started(status, pending, request);
}

static int irecv(void* data, int bytes, int rank, int tag, BerthaMpiComm comm,
                 BerthaMpiRequest* request) {
  MPI_Request pending = MPI_REQUEST_NULL;
  const int status = MPI_Irecv(data, bytes, MPI_BYTE, rank, tag, comm_of(comm), &pending);
  return started(status, pending, request);
}

static int test(BerthaMpiRequest* request, int* done) {
  *done = 1;
  if (*request == 0) return MPI_SUCCESS;
  MPI_Request pending = (MPI_Request)(intptr_t)*request;
  const int status = MPI_Test(&pending, done, MPI_STATUS_IGNORE);
  if (pending == MPI_REQUEST_NULL) *request = 0;
  return status;
}

static int wait(BerthaMpiRequest* request) {
  if (*request == 0) return MPI_SUCCESS;
  MPI_Request pending = (MPI_Request)(intptr_t)*request;
  const int status = MPI_Wait(&pending, MPI_STATUS_IGNORE);
  if (pending == MPI_REQUEST_NULL) *request = 0;
  return status;
}

const BerthaMpi* bertha_mpi(void) {
  static const BerthaMpi functions = {
      .interface_version = BERTHA_MPI_INTERFACE,
      .init = init,
      .finalize = finalize,
      .abort = abort_job,
      .error_string = error_string,
      .processor_name = processor_name,
      .library_version = library_version,
      .world = world,
      .comm_dup = comm_dup,
      .comm_free = comm_free,
      .comm_rank = comm_rank,
      .comm_size = comm_size,
      .rank_on_host = rank_on_host,
      .barrier = barrier,
      .bcast = bcast,
      .allgather = allgather,
      .allgatherv = allgatherv,
      .gatherv = gatherv,
      .ibarrier = ibarrier,
      .iallreduce = iallreduce,
      .iallgatherv = iallgatherv,
      .ialltoallv = ialltoallv,
      .isend = isend,
      .irecv = irecv,
      .test = test,
      .wait = wait,
  };
  return &functions;
}
