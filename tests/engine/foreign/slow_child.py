"""A process that takes a question and does not come back."""

import time

from core.processes.serving import serve

if __name__ == "__main__":
    serve(lambda question: time.sleep(60) or [])
