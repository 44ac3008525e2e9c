# A Slurm cluster of one controller and one node on loopback, in a folder of its own: slurm-cluster.sh start|stop FOLDER PORT.
# It needs root, munged, slurmctld and slurmd (Debian: slurm-wlm, munge).
set -eu
folder=$2
export SLURM_CONF=$folder/slurm.conf

case $1 in
start)
  mkdir -p "$folder/state" "$folder/spool"
  cat >"$SLURM_CONF" <<CONF
ClusterName=memvirt
SlurmctldHost=localhost(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$3
SlurmdPort=$(($3 + 1))
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
NodeName=localhost NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=localhost Default=YES MaxTime=INFINITE State=UP
CONF
  (umask 077; head -c 1024 /dev/urandom >"$folder/munge.key")
  munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" >"$folder/munged.out" 2>&1 </dev/null
  slurmctld -f "$SLURM_CONF" >"$folder/slurmctld.out" 2>&1 </dev/null
  slurmd -f "$SLURM_CONF" -N localhost >"$folder/slurmd.out" 2>&1 </dev/null
  for _ in $(seq 100); do
    if sinfo --noheader --format=%t 2>/dev/null | grep -q idle; then exit 0; fi
    sleep 0.2
  done
  echo "the node does not become idle:"
  tail -n 20 "$folder"/*.log
  exit 1
  ;;
stop)
  for daemon in slurmd slurmctld munged; do
    if [ -s "$folder/$daemon.pid" ]; then kill "$(cat "$folder/$daemon.pid")" 2>/dev/null || true; fi
  done
  ;;
esac
