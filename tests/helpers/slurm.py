"A `sbatch` that runs its jobs here and now, one task after the other."
import os
import sys

SBATCH = '''#!%s
import os, re, subprocess, sys
folder, script = os.path.dirname(os.path.abspath(__file__)), open(sys.argv[-1]).read()
n = len([f for f in os.listdir(folder) if f.endswith('.job')]) + 1
open(f'{folder}/{n}.job', 'w').write(script)
last = int((re.search(r'--array=0-(\\d+)', script) or [0, 0])[1])
for task in range(last + 1):
    env = {**os.environ, 'SLURM_ARRAY_TASK_ID': str(task), 'RUN_OFFSET': '0', 'SLURM_NODELIST': 'here'}
    subprocess.run(['bash', '-c', script], env=env, stdout=sys.stderr)
print('Submitted batch job', n)
'''
SRUN = '#!/bin/bash\nwhile [[ $1 == -* ]]; do [[ $1 == -n ]] && shift; shift; done\nexec "$@"\n'


def play_slurm(folder, monkeypatch):
    "Put such commands in front of the path; the folder keeps every job script."
    folder.mkdir()
    commands = {'sbatch': SBATCH % sys.executable, 'srun': SRUN, 'merge_stats': '#!/bin/bash\n',
                'scontrol': '#!/bin/bash\necho here\n'}
    for name, text in commands.items():
        (folder/name).write_text(text)
        (folder/name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}:{os.path.dirname(sys.executable)}:{os.environ["PATH"]}')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(p for p in sys.path if p))
    return folder
