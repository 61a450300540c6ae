#!/bin/bash
# Two machines with four GPUs each train one model:  sbatch examples/cluster/slurm.sh mnist batch=1024
# Ganvas and the data must be on every machine; runs/ only where the first process is (or on a shared disk).
#SBATCH --job-name=ganvas
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
set -euo pipefail

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
folder=runs/slurm-$SLURM_JOB_ID # the same after a requeue: the training continues from its last snapshot

# One torchrun a machine; each starts one process a GPU. Without GPUs: --nproc-per-node 1 and device=cpu.
srun --kill-on-bad-exit=1 torchrun \
  --nnodes "$SLURM_NNODES" \
  --nproc-per-node "${SLURM_GPUS_ON_NODE:-4}" \
  --rdzv-backend c10d \
  --rdzv-endpoint "$first:29500" \
  --rdzv-id "$SLURM_JOB_ID" \
  --max-restarts 3 \
  -m ganvas -- train "$@" --run "$folder"
