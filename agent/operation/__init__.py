"""What an operator starts and asks: run, status, doctor, deploy, control."""
