#!/bin/sh
# Trains the weights that come with stainbridge, on generated tissue alone; run it from the root of the repository.
#
#     sh benchmarks/train_weights.sh [FOLDER] [AFFINE_STEPS] [UNET_STEPS] [FCN_STEPS] [PANCK_STEPS_BEGUN] [PANCK_STEPS]
#
# Stop it at any time: the same command goes on, and a larger number of steps goes on with what is finished. The
# learning rates of the configurations are spent by about the steps they name.
set -eu
runs=${1:-weight-runs}

train() {
    run=$1 config=$2 steps=$3 kind=$4
    shift 4
    if [ -e "$run/last.safetensors" ]; then
        stainbridge train "$kind" --out "$run" --resume --steps "$steps"
    else
        stainbridge train "$kind" "$@" --preset small --config "$config" --steps "$steps" --out "$run"
    fi
}

train "$runs/affine-net" configs/affine-net.yaml "${2:-2000}" affine
train "$runs/unet-svf" configs/unet-svf.yaml "${3:-1500}" deformable
train "$runs/multiscale-fcn" configs/multiscale-fcn.yaml "${4:-800}" deformable
stains="--objective pix2pix --source HE --target PanCK --mpp 1.0"
train "$runs/he-panck-pretrain" configs/he-panck-pretrain.yaml "${5:-5600}" translate $stains
train "$runs/he-panck" configs/he-panck.yaml "${6:-3000}" translate $stains --init "$runs/he-panck-pretrain"
for name in affine-net unet-svf multiscale-fcn he-panck; do
    python benchmarks/ship_weights.py "$runs/$name" "src/stainbridge/weights/$name.safetensors"
done
