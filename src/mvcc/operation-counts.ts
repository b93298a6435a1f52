/** What a store has done since it was built. What each counts is what etcd's metrics of that name count. */
export class OperationCounts {
  ranges = 0;
  puts = 0;
  deletes = 0;
  /** Those of more than one operation. */
  transactions = 0;
  /** Bytes of the keys and values that were put. */
  putBytes = 0;
}
