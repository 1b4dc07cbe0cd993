# Parses one file again and again and prints the seconds of CPU: path warm_up count.
import json
import sys
import time

path, warm_up, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
text = open(path, "rb").read()
for _ in range(warm_up):
    json.loads(text)
before = time.process_time()
for _ in range(count):
    json.loads(text)
print("%.6f" % (time.process_time() - before))
