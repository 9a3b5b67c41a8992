process STAINBRIDGE_REGISTER {
    tag "$meta.id"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"
    container "stainbridge:latest"

    input:
    tuple val(meta), path(fixed), path(moving)

    output:
    tuple val(meta), path("${prefix}/transform.h5")     , emit: transform, optional: true
    tuple val(meta), path("${prefix}/registration.json"), emit: record
    tuple val(meta), path("${prefix}/report.html")      , emit: report, optional: true
    tuple val(meta), path("${prefix}/warped.ome.tiff")  , emit: slide, optional: true
    tuple val("${task.process}"), val('stainbridge'), eval("stainbridge --version | sed 's/stainbridge //'"), topic: versions, emit: versions_stainbridge

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = task.ext.args ?: ''
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    printf 'case,fixed,moving\\n%s,%s,%s\\n' '${prefix}' '${fixed}' '${moving}' > manifest.csv
    stainbridge cohort manifest.csv --out cohort --row 1 --threads ${task.cpus} $args
    mv cohort/cases/${prefix} ${prefix}
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir ${prefix}
    touch ${prefix}/transform.h5 ${prefix}/registration.json ${prefix}/report.html
    """
}
