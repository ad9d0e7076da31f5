"""The posture workbooks; none is shipped yet."""
